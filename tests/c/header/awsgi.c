/* awsgi.h needs nothing before it, and may be included twice. */
#include "awsgi.h"
#include "awsgi.h"

typedef awsgi_status so_that_the_file_is_not_empty;
