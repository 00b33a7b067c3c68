/** Java hosts, driven by the contract suite. */
@NullMarked
package io.awsgi.contract;

import org.jspecify.annotations.NullMarked;
