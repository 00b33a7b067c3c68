/* The bundled server, with an application that is linked into the program: where it listens, one
 * request, what is refused while it runs and after, and its end. */
#define _POSIX_C_SOURCE 200809L
#include "check.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <sys/socket.h>
#include <unistd.h>

/* ---- the application ------------------------------------------------------------------------------ */

static int loads, unloads;

static int32_t load(void *app, const char *config)
{
    CHECK(app == &loads && strcmp(config, "the config") == 0);
    loads++;
    return AWSGI_OK;
}

static void unload(void *app)
{
    CHECK(app == &loads);
    unloads++;
}

static int32_t run(void *worker, awsgi_exchange x, void **state, const awsgi_completion *done,
                   size_t n)
{
    awsgi_header type = { AWSGI_SLICE("Content-Type"), AWSGI_SLICE("text/plain") };
    awsgi_slice path;

    (void)worker, (void)state, (void)done;
    CHECK(n == 0);
    OK(awsgi_exchange_environ(x, AWSGI_SLICE("PATH_INFO"), &path));
    OK(awsgi_exchange_start(x, 200, &type, 1));
    OK(awsgi_exchange_write(x, path.data, path.len, NULL));
    return AWSGI_DONE;
}

static int32_t entry(const awsgi_api *api, awsgi_application *out)
{
    CHECK(api->size == sizeof *api && api->abi == AWSGI_ABI_VERSION);
    CHECK(out->size == sizeof *out && out->abi == AWSGI_ABI_VERSION && out->run == NULL);
    out->name = "linked";
    out->load = load;
    out->unload = unload;
    out->run = run;
    out->app = &loads;
    return AWSGI_OK;
}

/* ---- the host ------------------------------------------------------------------------------------- */

typedef struct {
    pthread_mutex_t lock;
    int lines;
    char last[256];
} access_lines;

static void take_line(awsgi_slice line, void *data)
{
    access_lines *lines = data;

    (void)pthread_mutex_lock(&lines->lock);
    lines->lines++;
    (void)snprintf(lines->last, sizeof lines->last, "%.*s", (int)line.len, (const char *)line.data);
    (void)pthread_mutex_unlock(&lines->lock);
}

static void *run_server(void *server)
{
    OK(awsgi_server_run(server));
    return NULL;
}

/* The port of "http://127.0.0.1:PORT". */
static uint16_t port_of(awsgi_server *server)
{
    static const char start[] = "http://127.0.0.1:";
    char address[64], cut[6];
    char *end;
    size_t len;
    unsigned long port;

    OK(awsgi_server_address(server, address, sizeof address, &len));
    CHECK(strlen(address) == len && strncmp(address, start, sizeof start - 1) == 0);
    port = strtoul(address + sizeof start - 1, &end, 10);
    CHECK(*end == '\0' && port > 0 && port <= UINT16_MAX);

    OK(awsgi_server_address(server, cut, sizeof cut, &len));
    CHECK(strcmp(cut, "http:") == 0 && len == strlen(address));
    OK(awsgi_server_address(server, NULL, 0, &len));
    CHECK(len == strlen(address));
    ANSWERS(AWSGI_E_NULL, awsgi_server_address(server, NULL, 1, &len));
    CHECK(len == 0);
    return (uint16_t)port;
}

static int connect_to(uint16_t port)
{
    struct sockaddr_in address;
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    memset(&address, 0, sizeof address);
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    CHECK(fd >= 0);
    CHECK(connect(fd, (const struct sockaddr *)&address, sizeof address) == 0);
    return fd;
}

/* One request on a connection of its own; the response up to its end. */
static void ask(uint16_t port, const char *request, char *response, size_t capacity)
{
    int fd = connect_to(port);
    size_t len = 0;
    ssize_t got;

    CHECK(write(fd, request, strlen(request)) == (ssize_t)strlen(request));
    while ((got = read(fd, response + len, capacity - 1 - len)) > 0)
        len += (size_t)got;
    CHECK(got == 0 && len > 0);
    response[len] = '\0';
    (void)close(fd);
}

static void what_cannot_be_loaded_is_told(void)
{
    awsgi_application application = AWSGI_APPLICATION_DEFAULT;
    int32_t error = 0;
    size_t length = 0;

    ANSWERS(AWSGI_E_OS, awsgi_application_load("/nowhere/at/all.so", NULL, &application));
    CHECK(application.size == 0 && application.run == NULL);
    OK(awsgi_last_error(NULL, 0, &length, &error));
    CHECK(length > 10 && error != 0);
    /* This source exists, but is no shared library. */
    ANSWERS(AWSGI_E_OS, awsgi_application_load(__FILE__, NULL, &application));
    CHECK(application.run == NULL);
    ANSWERS(AWSGI_E_NULL, awsgi_application_load(NULL, NULL, &application));
    ANSWERS(AWSGI_E_NULL, awsgi_application_load("/nowhere", NULL, NULL));
}

static void an_entry_is_linked_once_with_one_config(awsgi_application *application)
{
    awsgi_application again;

    ANSWERS(AWSGI_E_NULL, awsgi_application_link(NULL, NULL, application));
    OK(awsgi_application_link(entry, "the config", application));
    CHECK(loads == 1 && application->run == run && strcmp(application->name, "linked") == 0);
    OK(awsgi_application_link(entry, "the config", &again));
    CHECK(loads == 1 && again.run == run && again.app == application->app);
    ANSWERS(AWSGI_E_STATE, awsgi_application_link(entry, "another config", &again));
    CHECK(loads == 1 && again.size == 0 && again.run == NULL);
}

static void an_address_that_is_none_is_refused(const awsgi_application *application)
{
    static const char *const binds[] = { "", "127.0.0.1", "127.0.0.1:99999", "nonsense", "unix:" };
    char nothing = 0;

    for (size_t i = 0; i < sizeof binds / sizeof binds[0]; i++) {
        awsgi_server_options options = AWSGI_SERVER_OPTIONS_INIT;
        awsgi_server *server = (awsgi_server *)&nothing;
        size_t length = 0;
        char text[256];

        options.bind = binds[i];
        ANSWERS(AWSGI_E_INVALID, awsgi_server_new(&options, application, &server));
        CHECK(server == NULL);
        OK(awsgi_last_error(text, sizeof text, &length, NULL));
        CHECK(length > 10 && strlen(text) > 10);
    }
}

static void a_port_that_is_taken_is_refused(const awsgi_application *application, uint16_t port)
{
    awsgi_server_options options = AWSGI_SERVER_OPTIONS_INIT;
    char bind[32], nothing = 0;
    awsgi_server *server = (awsgi_server *)&nothing;
    int32_t error = 0;
    size_t length = 0;

    (void)snprintf(bind, sizeof bind, "127.0.0.1:%u", (unsigned)port);
    options.bind = bind;
    ANSWERS(AWSGI_E_OS, awsgi_server_new(&options, application, &server));
    CHECK(server == NULL);
    OK(awsgi_last_error(NULL, 0, &length, &error));
    CHECK(length > 10 && error != 0);
}

static void a_server_serves_until_it_was_drained(const awsgi_application *application)
{
    static const char request[] = "GET /a/path HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n";
    awsgi_server_options options = AWSGI_SERVER_OPTIONS_INIT;
    access_lines lines = { PTHREAD_MUTEX_INITIALIZER, 0, "" };
    awsgi_server *server;
    char response[1024], address[64];
    const char *body;
    pthread_t thread;
    uint16_t port;
    size_t length;

    options.bind = "127.0.0.1:0";
    options.workers = 2;
    options.access_log = take_line;
    options.data = &lines;
    OK(awsgi_server_new(&options, application, &server));
    port = port_of(server);
    a_port_that_is_taken_is_refused(application, port);

    CHECK(pthread_create(&thread, NULL, run_server, server) == 0);
    ask(port, request, response, sizeof response);
    CHECK(strncmp(response, "HTTP/1.1 200", 12) == 0);
    body = strstr(response, "\r\n\r\n");
    CHECK(body != NULL && strcmp(body + 4, "/a/path") == 0);

    /* It answered, so it runs. */
    ANSWERS(AWSGI_E_BUSY, awsgi_server_free(server));
    ANSWERS(AWSGI_E_STATE, awsgi_server_run(server));
    OK(awsgi_server_drain(server, 5000 * MS));
    CHECK(pthread_join(thread, NULL) == 0);
    ANSWERS(AWSGI_E_STATE, awsgi_server_run(server));
    OK(awsgi_server_drain(server, 0));

    CHECK(lines.lines == 1 && strstr(lines.last, "\"GET /a/path HTTP/1.1\" 200 7 ") != NULL);

    OK(awsgi_server_free(server));
    OK(awsgi_server_free(NULL));
    /* The pointer is void, and yet harmless. */
    ANSWERS(AWSGI_E_STALE, awsgi_server_free(server));
    ANSWERS(AWSGI_E_STALE, awsgi_server_run(server));
    ANSWERS(AWSGI_E_STALE, awsgi_server_drain(server, 0));
    length = 1;
    ANSWERS(AWSGI_E_STALE, awsgi_server_address(server, address, sizeof address, &length));
    CHECK(length == 0);
}

static void an_application_ends_once(const awsgi_application *application)
{
    OK(awsgi_application_unload(NULL));
    CHECK(unloads == 0);
    OK(awsgi_application_unload(application));
    CHECK(unloads == 1);
    ANSWERS(AWSGI_E_STALE, awsgi_application_unload(application));
    ANSWERS(AWSGI_E_STALE, awsgi_application_unload(application));
    CHECK(loads == 1 && unloads == 1);
}

int main(void)
{
    awsgi_application application;

    what_cannot_be_loaded_is_told();
    an_entry_is_linked_once_with_one_config(&application);
    an_address_that_is_none_is_refused(&application);
    a_server_serves_until_it_was_drained(&application);
    an_application_ends_once(&application);
    return 0;
}
