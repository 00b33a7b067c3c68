/** The programs that the documentation shows. */
@NullMarked
package io.awsgi.examples;

import org.jspecify.annotations.NullMarked;
