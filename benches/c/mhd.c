/* libmicrohttpd answering by itself: the peer of `mhd/hello`. It listens at a port that the kernel chooses,
 * and says which. */
#include <microhttpd.h>
#include <stdio.h>

static enum MHD_Result on_request(void *data, struct MHD_Connection *connection, const char *url,
                                  const char *method, const char *version, const char *body, size_t *size,
                                  void **state)
{
    static char text[] = "hello\n";
    enum MHD_Result queued;

    (void)data, (void)url, (void)method, (void)version, (void)body, (void)size;
    if (*state == NULL) {                           /* an answer to the first call closes the connection */
        *state = text;
        return MHD_YES;
    }
    struct MHD_Response *response =
        MHD_create_response_from_buffer(sizeof text - 1, text, MHD_RESPMEM_PERSISTENT);
    (void)MHD_add_response_header(response, "Cache-Control", "no-store");
    (void)MHD_add_response_header(response, "Content-Type", "text/plain; charset=utf-8");
    queued = MHD_queue_response(connection, 200, response);
    MHD_destroy_response(response);
    return queued;
}

int main(void)
{
    struct MHD_Daemon *http = MHD_start_daemon(MHD_USE_EPOLL, 0, NULL, NULL, on_request, NULL, MHD_OPTION_END);

    if (http == NULL) {
        perror("mhd");
        return 1;
    }
    (void)fprintf(stderr, "listening on http://127.0.0.1:%u\n",
                  MHD_get_daemon_info(http, MHD_DAEMON_INFO_BIND_PORT)->port);
    while (MHD_run_wait(http, -1) == MHD_YES)
        continue;
    return 0;
}
