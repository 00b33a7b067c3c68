module hello {
    requires io.awsgi.core;
}
