/* Every macro of awsgi.h in use, as a variable of a function and as one that is static. */
#include "awsgi.h"

static const awsgi_wait_spec static_wait_spec = AWSGI_WAIT_SPEC_INIT;
static const awsgi_turn static_turn = AWSGI_TURN_INIT;
static const awsgi_reactor_options static_reactor_options = AWSGI_REACTOR_OPTIONS_INIT;
static const awsgi_request static_request = AWSGI_REQUEST_INIT;
static const awsgi_head static_head = AWSGI_HEAD_INIT;
static const awsgi_gateway_options static_gateway_options = AWSGI_GATEWAY_OPTIONS_INIT;
static const awsgi_server_options static_server_options = AWSGI_SERVER_OPTIONS_INIT;
static const awsgi_application static_application = AWSGI_APPLICATION_DEFAULT;
static const awsgi_slice static_slice = AWSGI_SLICE_INIT("static");
static const awsgi_header static_headers[] = {
    { AWSGI_SLICE_INIT("Content-Type"), AWSGI_SLICE_INIT("text/plain") },
};

int main(void)
{
    awsgi_wait_spec wait_spec = AWSGI_WAIT_SPEC_INIT;
    awsgi_turn turn = AWSGI_TURN_INIT;
    awsgi_reactor_options reactor_options = AWSGI_REACTOR_OPTIONS_INIT;
    awsgi_request request = AWSGI_REQUEST_INIT;
    awsgi_head head = AWSGI_HEAD_INIT;
    awsgi_gateway_options gateway_options = AWSGI_GATEWAY_OPTIONS_INIT;
    awsgi_server_options server_options = AWSGI_SERVER_OPTIONS_INIT;
    awsgi_application application = AWSGI_APPLICATION_DEFAULT;
    awsgi_slice slice = AWSGI_SLICE("automatic");
    awsgi_header header = { AWSGI_SLICE("Content-Type"), AWSGI_SLICE("text/plain") };
    int wrong = 0;

    slice = AWSGI_SLICE("assigned");
    wrong |= slice.len != 8;
    slice = awsgi_string(NULL);
    wrong |= slice.len != 0;
    slice = awsgi_string("string");
    wrong |= slice.len != 6 || static_slice.len != 6;
    wrong |= header.name.len != static_headers[0].name.len;
    wrong |= wait_spec.deadline != AWSGI_FOREVER || static_wait_spec.deadline != AWSGI_FOREVER;
    wrong |= turn.deadline != AWSGI_FOREVER || static_turn.deadline != AWSGI_FOREVER;
    wrong |= wait_spec.size != static_wait_spec.size || turn.size != static_turn.size;
    wrong |= reactor_options.size != static_reactor_options.size;
    wrong |= request.size != static_request.size || head.size != static_head.size;
    wrong |= gateway_options.size != static_gateway_options.size;
    wrong |= server_options.size != static_server_options.size;
    wrong |= application.size != static_application.size;
    wrong |= application.abi != AWSGI_ABI_VERSION;
    return wrong;
}
