/** A readiness core for Java hosts: what one waits for, and how the wait ends. */
module io.awsgi.core {
    requires static transitive org.jspecify;

    exports io.awsgi.core;
}
