/* The bundled server in a program of one's own: server APP.SO [ADDRESS [CONFIG]]. SIGINT and SIGTERM
 * drain it. */
#include "awsgi.h"

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

static void check(awsgi_status status, const char *what)
{
    char why[512] = "";

    if (status == AWSGI_OK)
        return;
    (void)awsgi_last_error(why, sizeof why, NULL, NULL);
    (void)fprintf(stderr, "server: %s: %s: %s\n", what, awsgi_status_name(status), why);
    exit(1);
}

static void *run(void *server)
{
    check(awsgi_server_run(server), "awsgi_server_run");    /* returns once it was drained */
    return NULL;
}

int main(int argc, char **argv)
{
    awsgi_server_options options = AWSGI_SERVER_OPTIONS_INIT;
    awsgi_application application;
    awsgi_server *server;
    char address[256];
    pthread_t thread;
    sigset_t signals;
    int number;

    if (argc < 2 || argc > 4) {
        (void)fprintf(stderr, "usage: server APP.SO [ADDRESS [CONFIG]]\n");
        return 2;
    }
    options.bind = argc > 2 ? argv[2] : NULL;       /* NULL: 127.0.0.1:8080 */
    check(awsgi_application_load(argv[1], argc > 3 ? argv[3] : NULL, &application), argv[1]);
    check(awsgi_server_new(&options, &application, &server), "awsgi_server_new");

    /* No signal handler: blocked in every thread to come, they are waited for here. */
    (void)sigemptyset(&signals);
    (void)sigaddset(&signals, SIGINT);
    (void)sigaddset(&signals, SIGTERM);
    (void)pthread_sigmask(SIG_BLOCK, &signals, NULL);
    if (pthread_create(&thread, NULL, run, server) != 0) {
        (void)fprintf(stderr, "server: no thread\n");
        return 1;
    }

    check(awsgi_server_address(server, address, sizeof address, NULL), "awsgi_server_address");
    (void)printf("listening on %s\n", address);
    (void)fflush(stdout);

    (void)sigwait(&signals, &number);
    check(awsgi_server_drain(server, UINT64_C(30000000000)), "awsgi_server_drain");     /* 30 seconds */
    (void)pthread_join(thread, NULL);
    check(awsgi_server_free(server), "awsgi_server_free");
    check(awsgi_application_unload(&application), "awsgi_application_unload");
    return 0;
}
