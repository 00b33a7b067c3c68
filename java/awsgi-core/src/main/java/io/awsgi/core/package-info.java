/** Waiting for channels, descriptors, timers and events, in a loop of one's own or in ours. */
@NullMarked
package io.awsgi.core;

import org.jspecify.annotations.NullMarked;
