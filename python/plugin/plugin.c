/* SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * An application library that hosts Python in any process. It is linked with nothing of Python's, since the process
 * may have a Python already: it finds one or brings one, and then calls libawsgi/entry.py, which does the rest.
 *
 * Compiled by python/build.py with
 *
 *     STYLE        AWSGI_BLOCKING or AWSGI_STEPS
 *     LIBPYTHON    the path of the shared library of the Python that it was compiled for
 *     PYTHON       the interpreter whose environment it enters, unless it lies in a virtual environment itself
 *     PACKAGES     the folder that holds the package; "": that which holds ours
 */
#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include "awsgi_application.h"

#include <dlfcn.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* What we call of Python's. */
#define FUNCTIONS(_) \
    _(int, Py_IsInitialized, (void)) \
    _(const char *, Py_GetVersion, (void)) \
    _(void, PyPreConfig_InitPythonConfig, (PyPreConfig *)) \
    _(PyStatus, Py_PreInitialize, (const PyPreConfig *)) \
    _(void, PyConfig_InitPythonConfig, (PyConfig *)) \
    _(PyStatus, PyConfig_SetBytesString, (PyConfig *, wchar_t **, const char *)) \
    _(PyStatus, Py_InitializeFromConfig, (const PyConfig *)) \
    _(void, PyConfig_Clear, (PyConfig *)) \
    _(int, PyStatus_Exception, (PyStatus)) \
    _(PyThreadState *, PyEval_SaveThread, (void)) \
    _(PyGILState_STATE, PyGILState_Ensure, (void)) \
    _(void, PyGILState_Release, (PyGILState_STATE)) \
    _(PyObject *, PySys_GetObject, (const char *)) \
    _(PyObject *, PyUnicode_DecodeFSDefault, (const char *)) \
    _(int, PySequence_Contains, (PyObject *, PyObject *)) \
    _(int, PyList_Append, (PyObject *, PyObject *)) \
    _(void, Py_DecRef, (PyObject *)) \
    _(PyObject *, PyImport_ImportModule, (const char *)) \
    _(PyObject *, PyObject_CallMethod, (PyObject *, const char *, const char *, ...)) \
    _(long, PyLong_AsLong, (PyObject *)) \
    _(PyObject *, PyErr_Occurred, (void)) \
    _(void, PyErr_Print, (void))

static struct {
#define FIELD(result, name, arguments) result (*name) arguments;
    FUNCTIONS(FIELD)
#undef FIELD
} py;

static int32_t refuse(int32_t status, const char *sentence, const char *what)
{
    fprintf(stderr, "libawsgi: ");
    fprintf(stderr, sentence, what);
    fprintf(stderr, "\n");
    return status;
}

static int32_t functions(void)
{
#define LOOK(result, name, arguments) \
    *(void **)&py.name = dlsym(RTLD_DEFAULT, #name); \
    if (py.name == NULL) \
        return refuse(AWSGI_E_OS, "the Python of this process has no %s: it is no CPython 3.9 or newer", #name);
    FUNCTIONS(LOOK)
#undef LOOK
    return AWSGI_OK;
}

/* Brings Python, unless it is there. Extension modules look for its functions among those of the process, so a
 * library that is there for somebody alone becomes everybody's. */
static int32_t bring(void)
{
    char needed[16];
    int32_t status;
    if (dlsym(RTLD_DEFAULT, "Py_IsInitialized") == NULL && dlopen(LIBPYTHON, RTLD_NOW | RTLD_GLOBAL) == NULL)
        return refuse(AWSGI_E_OS, "Python cannot be loaded into this process: %s; build the plugin again with a Python that is there", dlerror());
    status = functions();
    if (status != AWSGI_OK)
        return status;
    snprintf(needed, sizeof(needed), "%d.%d.", PY_MAJOR_VERSION, PY_MINOR_VERSION);
    if (strncmp(py.Py_GetVersion(), needed, strlen(needed)) != 0)
        return refuse(AWSGI_E_UNSUPPORTED, "the process has another Python (%s) than the plugin was built for; build it for that one", py.Py_GetVersion());
    return AWSGI_OK;
}

/* The folder of this library. */
static int here(char folder[PATH_MAX])
{
    Dl_info found;
    char *slash;
    if (dladdr((void *)(uintptr_t)here, &found) == 0 || realpath(found.dli_fname, folder) == NULL)
        return 0;
    slash = strrchr(folder, '/');
    if (slash == NULL)
        return 0;
    *slash = '\0';
    return 1;
}

/* The interpreter of the virtual environment that we lie in, else the one that we were built with. Its name is where
 * Python begins to look for its own library and for the packages that are installed. */
static void interpreter(char path[PATH_MAX])
{
    char folder[PATH_MAX];
    if (here(folder)) {
        for (char *slash = strrchr(folder, '/'); slash != NULL; slash = strrchr(folder, '/')) {
            int length;
            *slash = '\0';
            length = snprintf(path, PATH_MAX, "%s/pyvenv.cfg", folder);
            if (length > 0 && length < PATH_MAX && access(path, R_OK) == 0) {
                length = snprintf(path, PATH_MAX, "%s/bin/python3", folder);
                if (length > 0 && length < PATH_MAX && access(path, X_OK) == 0)
                    return;
            }
        }
    }
    snprintf(path, PATH_MAX, "%s", PYTHON);
}

static int32_t failed(PyStatus status)
{
    return refuse(AWSGI_E_STATE, "Python does not start: %s", status.err_msg != NULL ? status.err_msg : "it gives no reason");
}

/* Whatever install_signal_handlers says, the first import of `signal` takes SIGINT if nobody has. So it is imported here,
 * and gives it back. */
static void leave_interrupts(void)
{
    struct sigaction before;
    PyObject *module, *answer = NULL;
    sigaction(SIGINT, NULL, &before);
    module = py.PyImport_ImportModule("signal");
    if (module != NULL)
        answer = py.PyObject_CallMethod(module, "signal", "ii", (int)SIGINT, 0);
    if (answer == NULL)
        py.PyErr_Print();
    py.Py_DecRef(answer);
    py.Py_DecRef(module);
    sigaction(SIGINT, &before, NULL);
}

/* Starts Python, which leaves the signals and the locale of the process alone. */
static int32_t initialize(void)
{
    char path[PATH_MAX];
    PyPreConfig before;
    PyConfig config;
    PyStatus status;

    py.PyPreConfig_InitPythonConfig(&before);
    before.configure_locale = 0;
    before.coerce_c_locale = 0;
    before.coerce_c_locale_warn = 0;
    before.parse_argv = 0;
    status = py.Py_PreInitialize(&before);
    if (py.PyStatus_Exception(status))
        return failed(status);

    interpreter(path);
    py.PyConfig_InitPythonConfig(&config);
    config.install_signal_handlers = 0;
    config.parse_argv = 0;
    status = py.PyConfig_SetBytesString(&config, &config.program_name, path);
    if (!py.PyStatus_Exception(status))
        status = py.Py_InitializeFromConfig(&config);
    py.PyConfig_Clear(&config);
    if (py.PyStatus_Exception(status))
        return failed(status);
    leave_interrupts();
    /* Whoever wants to run code takes the lock of the interpreter for it. */
    (void)py.PyEval_SaveThread();
    return AWSGI_OK;
}

/* The folder that holds the package becomes the last that is looked at, if it is not there already. */
static void reach(void)
{
    char folder[PATH_MAX] = PACKAGES;
    PyObject *path = py.PySys_GetObject("path"), *entry;
    if (folder[0] == '\0') {
        char *slash;
        if (!here(folder))
            return;
        slash = strrchr(folder, '/');
        if (slash != NULL)
            *slash = '\0';
    }
    entry = py.PyUnicode_DecodeFSDefault(folder);
    if (path != NULL && entry != NULL && py.PySequence_Contains(path, entry) == 0)
        (void)py.PyList_Append(path, entry);
    py.Py_DecRef(entry);
}

static int32_t describe(const awsgi_api *api, awsgi_application *out)
{
    long status = AWSGI_E_STATE;
    PyObject *entry, *answer = NULL;
    reach();
    entry = py.PyImport_ImportModule("libawsgi.entry");
    if (entry != NULL)
        answer = py.PyObject_CallMethod(entry, "describe", "KKi", (unsigned long long)(uintptr_t)api,
                                        (unsigned long long)(uintptr_t)out, STYLE);
    if (answer != NULL)
        status = py.PyLong_AsLong(answer);
    if (py.PyErr_Occurred() != NULL) {
        py.PyErr_Print();
        status = AWSGI_E_STATE;
    }
    py.Py_DecRef(answer);
    py.Py_DecRef(entry);
    return (int32_t)status;
}

AWSGI_EXPORT int32_t awsgi_application_main(const awsgi_api *api, awsgi_application *out)
{
    int32_t status;
    PyGILState_STATE before;
    if (api == NULL || api->size < sizeof(awsgi_api) || api->abi != AWSGI_ABI_VERSION)
        return AWSGI_E_UNSUPPORTED;
    status = bring();
    if (status == AWSGI_OK && !py.Py_IsInitialized())
        status = initialize();
    if (status != AWSGI_OK)
        return status;
    before = py.PyGILState_Ensure();
    status = describe(api, out);
    py.PyGILState_Release(before);
    return status;
}
