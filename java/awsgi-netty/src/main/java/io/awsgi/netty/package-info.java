/** A host on Netty's event loops: one reactor a loop. */
@NullMarked
package io.awsgi.netty;

import org.jspecify.annotations.NullMarked;
