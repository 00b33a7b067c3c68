"""What an application does for every request, in single calls of C.

Only a compiled module has them; without one the engine makes the same calls by itself, one after another. They are
called with the interpreter's lock held. DECLARATIONS are for cffi's cdef, SOURCE for set_source, after plugin/engine.c.
"""

DECLARATIONS = """
int64_t libawsgi_environ(awsgi_exchange exchange, uint8_t *into, size_t room);
awsgi_status libawsgi_respond(awsgi_exchange exchange, int32_t status, const char *fields, size_t count,
                              const void *block, size_t len, size_t *taken);
"""

SOURCE = """
/* All variables, each as its name, a NUL, its value, a NUL. Answers how long that is, also if there is no room for it,
 * or a negative status. Neither names nor values hold a NUL. */
static int64_t libawsgi_environ(awsgi_exchange exchange, uint8_t *into, size_t room)
{
    size_t cursor = 0, length = 0;
    awsgi_slice part[2];
    awsgi_status status;
    while ((status = awsgi_exchange_environ_each(exchange, &cursor, &part[0], &part[1])) == AWSGI_OK) {
        int i;
        for (i = 0; i < 2; i++) {
            if (part[i].len < room && length < room - part[i].len) {
                if (part[i].len > 0)
                    memcpy(into + length, part[i].data, part[i].len);
                into[length + part[i].len] = 0;
            }
            length += part[i].len + 1;
        }
    }
    return status == AWSGI_E_AGAIN ? (int64_t)length : status;
}

/* The head of a response, whose fields are names and values that each end in NUL, and its first bytes. */
static awsgi_status libawsgi_respond(awsgi_exchange exchange, int32_t status, const char *fields, size_t count,
                                     const void *block, size_t len, size_t *taken)
{
    awsgi_header few[32], *headers = count == 0 ? NULL : few;
    awsgi_status answer;
    size_t i;
    *taken = 0;
    if (count > sizeof few / sizeof *few) {
        headers = (awsgi_header *)malloc(count * sizeof *headers);
        if (headers == NULL)
            return AWSGI_E_LIMIT;
    }
    for (i = 0; i < count; i++) {
        headers[i].name = awsgi_string(fields);
        fields += headers[i].name.len + 1;
        headers[i].value = awsgi_string(fields);
        fields += headers[i].value.len + 1;
    }
    answer = awsgi_exchange_start(exchange, status, headers, count);
    if (headers != few)
        free(headers);
    if (answer != AWSGI_OK || len == 0)
        return answer;
    if (len <= libawsgi_room)
        return awsgi_exchange_write(exchange, block, len, taken);
    /* A pool thread may wait for room, and others are to run meanwhile. */
    Py_BEGIN_ALLOW_THREADS
    answer = awsgi_exchange_write(exchange, block, len, taken);
    Py_END_ALLOW_THREADS
    return answer;
}
"""
