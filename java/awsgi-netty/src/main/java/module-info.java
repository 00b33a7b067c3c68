/** libawsgi in the event loops of Netty 4.2. */
module io.awsgi.netty {
    requires transitive io.awsgi.core;
    requires transitive io.netty.transport;
    requires io.netty.common;
    requires static io.netty.transport.classes.epoll;
    requires static io.netty.transport.unix.common;
    requires static org.jspecify;

    exports io.awsgi.netty;
}
