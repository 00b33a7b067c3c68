/** What the bridge costs, beside plain NIO and Netty. */
@NullMarked
package io.awsgi.bench;

import org.jspecify.annotations.NullMarked;
