/* The bundled server, with an application from a shared library: server APP.SO. */
#define _POSIX_C_SOURCE 200809L
#include "reference.h"

#include <arpa/inet.h>
#include <pthread.h>
#include <sys/socket.h>
#include <unistd.h>

/* awsgi_server_run: serves until it was drained, on threads of the server's own. */
static void *serve(void *server)
{
    check(awsgi_server_run(server));
    return NULL;
}

static void take(awsgi_slice line, void *data)
{
    (void)data;
    (void)printf("%.*s\n", (int)line.len, (const char *)line.data);
}

/* awsgi_application_load, awsgi_server_new, awsgi_server_address: listens at a port that the kernel chooses. */
static awsgi_server *listen_for(const char *path, awsgi_application *application, char *address, size_t capacity)
{
    awsgi_server_options options = AWSGI_SERVER_OPTIONS_INIT;
    awsgi_server *server;
    options.bind = "127.0.0.1:0";
    options.workers = 1;
    options.access_log = take;                          /* is given a line for each exchange */
    check(awsgi_application_load(path, NULL, application));
    check(awsgi_server_new(&options, application, &server));
    check(awsgi_server_address(server, address, capacity, NULL));       /* "http://127.0.0.1:PORT" */
    return server;
}

/* awsgi_server_drain, awsgi_server_free: lets exchanges finish for a second at most, and ends the server. */
static void drain(awsgi_server *server, pthread_t thread)
{
    check(awsgi_server_drain(server, 1000 * MS));
    (void)pthread_join(thread, NULL);                   /* awsgi_server_run returns */
    check(awsgi_server_free(server));
}

/* What a client of the server receives. */
static void ask(const char *address, char *response, size_t capacity)
{
    static const char request[] = "GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    struct sockaddr_in to = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    size_t length = 0;
    ssize_t count;
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    to.sin_port = htons((uint16_t)atoi(strrchr(address, ':') + 1));
    expect(fd >= 0 && connect(fd, (const struct sockaddr *)&to, sizeof to) == 0);
    expect(write(fd, request, sizeof request - 1) == (ssize_t)sizeof request - 1);
    while (length < capacity - 1 && (count = read(fd, response + length, capacity - 1 - length)) > 0)
        length += (size_t)count;
    response[length] = '\0';
    (void)close(fd);
}

int main(int argc, char **argv)
{
    awsgi_application application;
    char address[64], response[1024];
    pthread_t thread;

    if (argc != 2) {
        (void)fprintf(stderr, "usage: server APP.SO\n");
        return 2;
    }
    awsgi_server *server = listen_for(argv[1], &application, address, sizeof address);
    expect(pthread_create(&thread, NULL, serve, server) == 0);
    ask(address, response, sizeof response);
    expect(strncmp(response, "HTTP/1.1 200 ", 13) == 0);
    drain(server, thread);
    check(awsgi_application_unload(&application));
    return 0;
}
