"""What include/awsgi.h declares, for cffi. Written by python/cdef.py: do not edit."""

CDEF = """\
#define AWSGI_VERSION_MAJOR 0
#define AWSGI_VERSION_MINOR 1
#define AWSGI_VERSION_PATCH 0
#define AWSGI_VERSION_NUMBER 1000
#define AWSGI_ABI_VERSION 0
typedef int awsgi_os_handle;
typedef int32_t awsgi_status;
#define AWSGI_OK 0
#define AWSGI_E_NULL -1
#define AWSGI_E_INVALID -2
#define AWSGI_E_STALE -3
#define AWSGI_E_THREAD -4
#define AWSGI_E_FORKED -5
#define AWSGI_E_STATE -6
#define AWSGI_E_BUSY -7
#define AWSGI_E_REENTRANT -8
#define AWSGI_E_LIMIT -9
#define AWSGI_E_OS -10
#define AWSGI_E_UNSUPPORTED -11
#define AWSGI_E_NESTING -12
#define AWSGI_E_CLOSED -13
#define AWSGI_E_PANIC -14
#define AWSGI_E_AGAIN -15
const char *awsgi_status_name(awsgi_status status);
awsgi_status awsgi_last_error(char *buffer,
                              size_t capacity,
                              size_t *length,
                              int32_t *os_error);
awsgi_status awsgi_version(uint32_t *number, uint32_t *abi);
#define AWSGI_FOREVER 18446744073709551615
#define AWSGI_NOW 0
#define AWSGI_READABLE 1
#define AWSGI_WRITABLE 2
#define AWSGI_PRIORITY 4
#define AWSGI_READ_CLOSED 8
#define AWSGI_HANGUP 16
#define AWSGI_ERROR 32
typedef uint64_t awsgi_token;
typedef awsgi_token awsgi_waitable;
typedef awsgi_token awsgi_wait;
typedef awsgi_token awsgi_exchange;
typedef struct awsgi_slice {
    const uint8_t *data;
    size_t len;
} awsgi_slice;
typedef struct awsgi_header {
    awsgi_slice name;
    awsgi_slice value;
} awsgi_header;
#define AWSGI_READY 1
#define AWSGI_TIMED_OUT 2
#define AWSGI_CANCELLED 3
#define AWSGI_CLOSED 4
#define AWSGI_FAILED 5
#define AWSGI_MORE 1
typedef struct awsgi_completion {
    uint64_t user_data;
    awsgi_wait wait;
    uint8_t outcome;
    uint8_t flags;
    uint16_t members;
    uint32_t ready;
    uint32_t index;
    int32_t error;
} awsgi_completion;
typedef struct awsgi_member {
    awsgi_waitable waitable;
    uint32_t index;
    uint32_t ready;
} awsgi_member;
awsgi_status awsgi_completion_members(const awsgi_completion *completion,
                                      awsgi_member *members,
                                      size_t capacity,
                                      size_t *count);
#define AWSGI_OWNED 1
#define AWSGI_NESTED 2
#define AWSGI_DELEGATED 3
#define AWSGI_HOST_HONOURS_DEADLINE 1
#define AWSGI_HOST_TURNS_BEFORE_SLEEP 2
#define AWSGI_HOST_WATCHES_DESCRIPTORS 4
#define AWSGI_HOST_GIVES_CLOCK 8
#define AWSGI_LOG_ERROR 1
#define AWSGI_LOG_WARN 2
#define AWSGI_LOG_INFO 3
#define AWSGI_LOG_DEBUG 4
#define AWSGI_WATCH_DESCRIPTOR 2
#define AWSGI_TURN_MORE 1
#define AWSGI_TURN_STOPPED 2
#define AWSGI_TURN_CLOSED 4
typedef struct awsgi_reactor awsgi_reactor;
typedef struct awsgi_reactor_options {
    size_t size;
    uint32_t mode;
    uint32_t flags;
    uint32_t max_waitables;
    uint32_t max_waits;
    void (*wake)(void *data);
    int (*spawn)(void (*run)(void *arg), void *arg, const char *name, void *data);
    void (*log)(int32_t level, awsgi_slice line, void *data);
    void *data;
} awsgi_reactor_options;
typedef struct awsgi_watch_change {
    awsgi_waitable waitable;
    uint64_t handle;
    uint32_t interest;
    uint32_t kind;
} awsgi_watch_change;
typedef struct awsgi_turn {
    size_t size;
    uint64_t deadline;
    uint64_t now;
    uint32_t budget;
    uint32_t reserved;
    awsgi_completion *done;
    size_t done_cap;
    awsgi_watch_change *changes;
    size_t changes_cap;
    size_t done_n;
    size_t changes_n;
    uint64_t next_deadline;
    uint32_t flags;
    uint32_t reserved_out;
} awsgi_turn;
typedef struct awsgi_stats {
    size_t size;
    uint64_t turns;
    uint64_t events;
    uint64_t completions;
    uint64_t stale;
    uint64_t spurious;
    uint64_t ghosts;
    uint64_t rebuilds;
    uint64_t changes;
    uint64_t signals;
    uint64_t waits;
    uint64_t waitables;
} awsgi_stats;
awsgi_status awsgi_reactor_new(const awsgi_reactor_options *options,
                               awsgi_reactor **reactor);
awsgi_status awsgi_reactor_release(awsgi_reactor *reactor);
awsgi_status awsgi_reactor_adopt(awsgi_reactor *reactor);
awsgi_status awsgi_reactor_fd(awsgi_reactor *reactor, awsgi_os_handle *fd);
awsgi_status awsgi_reactor_now(awsgi_reactor *reactor, uint64_t *ns);
awsgi_status awsgi_reactor_turn(awsgi_reactor *reactor, awsgi_turn *turn);
awsgi_status awsgi_reactor_stop(awsgi_reactor *reactor);
awsgi_status awsgi_reactor_stats(awsgi_reactor *reactor,
                                 awsgi_stats *stats);
awsgi_status awsgi_reactor_close(awsgi_reactor *reactor);
awsgi_status awsgi_reactor_free(awsgi_reactor *reactor);
#define AWSGI_OWN 1
#define AWSGI_COUNTER 1
#define AWSGI_LEVEL 0
#define AWSGI_ONCE 1
typedef struct awsgi_notice {
    awsgi_waitable waitable;
    uint32_t ready;
    uint32_t pad;
} awsgi_notice;
awsgi_status awsgi_waitable_descriptor(awsgi_reactor *reactor,
                                       awsgi_os_handle fd,
                                       uint32_t flags,
                                       awsgi_waitable *waitable);
awsgi_status awsgi_waitable_foreign(awsgi_reactor *reactor,
                                    uint64_t handle,
                                    uint32_t flags,
                                    awsgi_waitable *waitable);
awsgi_status awsgi_waitable_event(awsgi_reactor *reactor,
                                  uint32_t flags,
                                  awsgi_waitable *waitable);
awsgi_status awsgi_waitable_timer(awsgi_reactor *reactor,
                                  uint64_t first,
                                  uint64_t period,
                                  awsgi_waitable *waitable);
awsgi_status awsgi_waitable_take(awsgi_waitable waitable,
                                 uint64_t *value);
awsgi_status awsgi_waitable_label(awsgi_waitable waitable, const char *label, size_t len);
awsgi_status awsgi_waitable_describe(awsgi_waitable waitable,
                                     char *text,
                                     size_t capacity,
                                     size_t *len);
awsgi_status awsgi_waitable_close(awsgi_waitable waitable);
awsgi_status awsgi_notify(awsgi_waitable waitable, uint32_t ready);
awsgi_status awsgi_notify_many(const awsgi_notice *notices,
                               size_t count,
                               size_t *stale);
#define AWSGI_MULTISHOT 1
#define AWSGI_OFF_LOOP 2
typedef struct awsgi_watch {
    awsgi_waitable waitable;
    uint32_t interest;
    uint32_t pad;
} awsgi_watch;
typedef struct awsgi_wait_spec {
    size_t size;
    const awsgi_watch *set;
    size_t count;
    uint32_t at_least;
    uint32_t flags;
    uint64_t deadline;
    uint64_t user_data;
} awsgi_wait_spec;
awsgi_status awsgi_wait_start(awsgi_reactor *reactor,
                              const awsgi_wait_spec *spec,
                              awsgi_wait *wait);
awsgi_status awsgi_wait_cancel(awsgi_wait wait);
awsgi_status awsgi_wait_forget(awsgi_wait wait);
awsgi_status awsgi_wait_rearm(awsgi_wait wait);
#define AWSGI_DONE 0
#define AWSGI_SUSPEND 1
#define AWSGI_YIELD 2
awsgi_status awsgi_exchange_wait(awsgi_exchange exchange,
                                 const awsgi_wait_spec *spec,
                                 awsgi_wait *wait);
awsgi_status awsgi_exchange_await(awsgi_exchange exchange,
                                  const awsgi_wait_spec *spec,
                                  awsgi_completion *completion);
awsgi_status awsgi_exchange_environ(awsgi_exchange exchange,
                                    awsgi_slice key,
                                    awsgi_slice *value);
awsgi_status awsgi_exchange_environ_each(awsgi_exchange exchange,
                                         size_t *cursor,
                                         awsgi_slice *key,
                                         awsgi_slice *value);
awsgi_status awsgi_exchange_self(awsgi_exchange exchange, awsgi_waitable *waitable);
awsgi_status awsgi_exchange_reactor(awsgi_exchange exchange, awsgi_reactor **reactor);
awsgi_status awsgi_exchange_now(awsgi_exchange exchange, uint64_t *ns);
awsgi_status awsgi_exchange_read(awsgi_exchange exchange,
                                 void *buffer,
                                 size_t capacity,
                                 size_t *count);
awsgi_status awsgi_exchange_start(awsgi_exchange exchange,
                                  int32_t status,
                                  const awsgi_header *headers,
                                  size_t count);
awsgi_status awsgi_exchange_write(awsgi_exchange exchange,
                                  const void *data,
                                  size_t len,
                                  size_t *taken);
#define AWSGI_STEPS 1
#define AWSGI_STRAIGHT 2
#define AWSGI_BLOCKING 3
typedef struct awsgi_application {
    size_t size;
    uint32_t abi;
    uint32_t style;
    const char *name;
    int32_t (*load)(void *app, const char *config);
    int32_t (*worker)(void *app, awsgi_reactor *reactor, void **worker);
    int32_t (*run)(void *worker,
                   awsgi_exchange exchange,
                   void **state,
                   const awsgi_completion *done,
                   size_t count);
    void (*close)(void *worker, awsgi_exchange exchange, void *state);
    void (*worker_end)(void *worker);
    void (*unload)(void *app);
    void *app;
} awsgi_application;
typedef struct awsgi_api {
    size_t size;
    uint32_t abi;
    uint32_t reserved;
    const char *(*awsgi_status_name)(awsgi_status status);
    awsgi_status (*awsgi_last_error)(char *buffer,
                                     size_t capacity,
                                     size_t *length,
                                     int32_t *os_error);
    awsgi_status (*awsgi_version)(uint32_t *number, uint32_t *abi);
    awsgi_status (*awsgi_completion_members)(const awsgi_completion *completion,
                                             awsgi_member *members,
                                             size_t capacity,
                                             size_t *count);
    awsgi_status (*awsgi_reactor_now)(awsgi_reactor *reactor, uint64_t *ns);
    awsgi_status (*awsgi_waitable_descriptor)(awsgi_reactor *reactor,
                                              awsgi_os_handle fd,
                                              uint32_t flags,
                                              awsgi_waitable *waitable);
    awsgi_status (*awsgi_waitable_event)(awsgi_reactor *reactor,
                                         uint32_t flags,
                                         awsgi_waitable *waitable);
    awsgi_status (*awsgi_waitable_timer)(awsgi_reactor *reactor,
                                         uint64_t first,
                                         uint64_t period,
                                         awsgi_waitable *waitable);
    awsgi_status (*awsgi_waitable_take)(awsgi_waitable waitable, uint64_t *value);
    awsgi_status (*awsgi_waitable_label)(awsgi_waitable waitable, const char *label, size_t len);
    awsgi_status (*awsgi_waitable_close)(awsgi_waitable waitable);
    awsgi_status (*awsgi_notify)(awsgi_waitable waitable, uint32_t ready);
    awsgi_status (*awsgi_notify_many)(const awsgi_notice *notices, size_t count, size_t *stale);
    awsgi_status (*awsgi_wait_cancel)(awsgi_wait wait);
    awsgi_status (*awsgi_wait_forget)(awsgi_wait wait);
    awsgi_status (*awsgi_wait_rearm)(awsgi_wait wait);
    awsgi_status (*awsgi_exchange_wait)(awsgi_exchange exchange,
                                        const awsgi_wait_spec *spec,
                                        awsgi_wait *wait);
    awsgi_status (*awsgi_exchange_await)(awsgi_exchange exchange,
                                         const awsgi_wait_spec *spec,
                                         awsgi_completion *completion);
    awsgi_status (*awsgi_exchange_environ)(awsgi_exchange exchange,
                                           awsgi_slice key,
                                           awsgi_slice *value);
    awsgi_status (*awsgi_exchange_environ_each)(awsgi_exchange exchange,
                                                size_t *cursor,
                                                awsgi_slice *key,
                                                awsgi_slice *value);
    awsgi_status (*awsgi_exchange_self)(awsgi_exchange exchange, awsgi_waitable *waitable);
    awsgi_status (*awsgi_exchange_reactor)(awsgi_exchange exchange, awsgi_reactor **reactor);
    awsgi_status (*awsgi_exchange_now)(awsgi_exchange exchange, uint64_t *ns);
    awsgi_status (*awsgi_exchange_read)(awsgi_exchange exchange,
                                        void *buffer,
                                        size_t capacity,
                                        size_t *count);
    awsgi_status (*awsgi_exchange_start)(awsgi_exchange exchange,
                                         int32_t status,
                                         const awsgi_header *headers,
                                         size_t count);
    awsgi_status (*awsgi_exchange_write)(awsgi_exchange exchange,
                                         const void *data,
                                         size_t len,
                                         size_t *taken);
    awsgi_status (*awsgi_waitable_describe)(awsgi_waitable waitable,
                                            char *text,
                                            size_t capacity,
                                            size_t *len);
} awsgi_api;
typedef int32_t (*awsgi_application_entry)(const awsgi_api *api,
                                           awsgi_application *application);
awsgi_status awsgi_application_load(const char *path,
                                    const char *config,
                                    awsgi_application *application);
awsgi_status awsgi_application_link(awsgi_application_entry entry,
                                    const char *config,
                                    awsgi_application *application);
awsgi_status awsgi_application_unload(const awsgi_application *application);
#define AWSGI_HEAD 256
#define AWSGI_BODY 512
#define AWSGI_ROOM 1024
#define AWSGI_END 2048
#define AWSGI_ABORT 4096
typedef struct awsgi_gateway awsgi_gateway;
typedef struct awsgi_gateway_options {
    size_t size;
    uint32_t max_exchanges;
    uint32_t max_waits_per_exchange;
    size_t input_buffer;
    size_t output_buffer;
    uint32_t pool_threads;
    uint32_t multithread;
    const char *script_name;
} awsgi_gateway_options;
typedef struct awsgi_request {
    size_t size;
    awsgi_slice method;
    awsgi_slice target;
    awsgi_slice protocol;
    awsgi_slice scheme;
    awsgi_slice remote_addr;
    awsgi_slice server_name;
    uint16_t remote_port;
    uint16_t server_port;
    uint32_t body;
    const awsgi_header *headers;
    size_t header_count;
    int64_t content_length;
    uint64_t user_data;
} awsgi_request;
typedef struct awsgi_head {
    size_t size;
    int32_t status;
    uint32_t bodiless;
    const awsgi_header *headers;
    size_t header_count;
    int64_t length;
} awsgi_head;
awsgi_status awsgi_gateway_new(awsgi_reactor *reactor,
                               const awsgi_application *application,
                               const awsgi_gateway_options *options,
                               awsgi_gateway **gateway);
awsgi_status awsgi_gateway_close(awsgi_gateway *gateway, uint64_t within_ns);
awsgi_status awsgi_gateway_free(awsgi_gateway *gateway);
awsgi_status awsgi_gateway_open(awsgi_gateway *gateway,
                                const awsgi_request *request,
                                awsgi_exchange *exchange);
awsgi_status awsgi_exchange_feed(awsgi_exchange exchange,
                                 const void *data,
                                 size_t len,
                                 int end,
                                 size_t *taken);
awsgi_status awsgi_exchange_gone(awsgi_exchange exchange);
awsgi_status awsgi_exchange_fail(awsgi_exchange exchange,
                                 int32_t status);
awsgi_status awsgi_exchange_head(awsgi_exchange exchange, awsgi_head *head);
awsgi_status awsgi_exchange_take(awsgi_exchange exchange,
                                 awsgi_slice *slices,
                                 size_t capacity,
                                 size_t *count,
                                 int *end);
awsgi_status awsgi_exchange_sent(awsgi_exchange exchange, size_t len);
awsgi_status awsgi_exchange_end(awsgi_exchange exchange);
#define AWSGI_SERVER_FD 1
#define AWSGI_UNLIMITED 18446744073709551615
typedef struct awsgi_server awsgi_server;
typedef struct awsgi_mount {
    const char *prefix;
    const awsgi_application *application;
} awsgi_mount;
typedef struct awsgi_server_options {
    size_t size;
    const char *bind;
    awsgi_os_handle fd;
    uint32_t flags;
    uint32_t workers;
    uint32_t max_headers;
    size_t max_header_bytes;
    uint64_t max_body;
    uint64_t header_time;
    uint64_t idle_time;
    uint64_t queue_time;
    uint32_t max_exchanges;
    uint32_t max_queued;
    uint32_t pool_threads;
    uint32_t mount_count;
    const awsgi_mount *mounts;
    void (*access_log)(awsgi_slice line, void *data);
    void (*log)(int32_t level, awsgi_slice line, void *data);
    void *data;
} awsgi_server_options;
awsgi_status awsgi_server_new(const awsgi_server_options *options,
                              const awsgi_application *application,
                              awsgi_server **server);
awsgi_status awsgi_server_address(awsgi_server *server,
                                  char *buffer,
                                  size_t capacity,
                                  size_t *length);
awsgi_status awsgi_server_run(awsgi_server *server);
awsgi_status awsgi_server_drain(awsgi_server *server, uint64_t within_ns);
awsgi_status awsgi_server_free(awsgi_server *server);
"""
