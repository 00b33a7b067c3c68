/* evhttp answering by itself: the peer of `evhttp/hello`. It listens at a port that the kernel chooses,
 * and says which. */
#include <event2/buffer.h>
#include <event2/event.h>
#include <event2/http.h>
#include <event2/keyvalq_struct.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>

static void on_request(struct evhttp_request *request, void *data)
{
    struct evkeyvalq *fields = evhttp_request_get_output_headers(request);
    struct evbuffer *body = data;

    (void)evhttp_add_header(fields, "Cache-Control", "no-store");
    (void)evhttp_add_header(fields, "Content-Type", "text/plain; charset=utf-8");
    (void)evbuffer_add(body, "hello\n", 6);
    evhttp_send_reply(request, 200, NULL, body);    /* which empties it */
}

int main(void)
{
    struct event_base *loop = event_base_new();
    struct evhttp *http = evhttp_new(loop);
    struct evhttp_bound_socket *bound = evhttp_bind_socket_with_handle(http, "127.0.0.1", 0);
    struct sockaddr_in at;
    socklen_t size = sizeof at;

    if (bound == NULL || getsockname(evhttp_bound_socket_get_fd(bound), (struct sockaddr *)&at, &size) != 0) {
        perror("evhttp");
        return 1;
    }
    evhttp_set_gencb(http, on_request, evbuffer_new());
    (void)fprintf(stderr, "listening on http://127.0.0.1:%u\n", ntohs(at.sin_port));
    return event_base_dispatch(loop);               /* until it is killed */
}
