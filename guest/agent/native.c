/*
 * What the agent needs of Linux and QuickJS's own modules lack, as the module `qjs:native`; native.d.ts says what each
 * function takes and gives. A call that fails gives -errno, as those of QuickJS's module `os` do.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/reboot.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "quickjs.h"

/* musl's compiler does not see <linux/vm_sockets.h>; the kernel keeps this form for ever. */
struct sockaddr_vm {
    sa_family_t svm_family;
    unsigned short svm_reserved1;
    unsigned int svm_port;
    unsigned int svm_cid;
    unsigned char svm_zero[8];
};
#define VMADDR_CID_ANY 0xffffffffU

/* Whatever a guest's processes name or a host sends: the agent ends its request, never grows past this. */
#define MEMORY_LIMIT_BYTES (16 << 20)
/* Deep enough for our own code; JSON nested deeper than that is refused before it has filled much of the stack. */
#define STACK_LIMIT_BYTES (96 << 10)
#define BACKLOG 8
#define MAX_TEXT_BYTES (64 << 10)
#define PART_BYTES 2048

#define UNUSED __attribute__((unused))
#define NATIVE(name) static JSValue name(JSContext *ctx, UNUSED JSValueConst self, UNUSED int argc, UNUSED JSValueConst *argv)

static JSValue result(JSContext *ctx, int value)
{
    return JS_NewInt32(ctx, value < 0 ? -errno : value);
}

NATIVE(pid)
{
    return JS_NewInt32(ctx, getpid());
}

NATIVE(boot_time_ms)
{
    struct timespec now;
    clock_gettime(CLOCK_BOOTTIME, &now);
    return JS_NewInt64(ctx, (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000);
}

NATIVE(cpu_time_ms)
{
    struct timespec used;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
    return JS_NewFloat64(ctx, used.tv_sec * 1e3 + used.tv_nsec / 1e6);
}

NATIVE(read_text)
{
    /* One for all: memory taken and given back for each file would cost more than to read it. */
    static char text[MAX_TEXT_BYTES];
    uint32_t limit;
    if (JS_ToUint32(ctx, &limit, argv[1]))
        return JS_EXCEPTION;
    const char *path = JS_ToCString(ctx, argv[0]);
    if (!path)
        return JS_EXCEPTION;
    /* Without O_CLOEXEC, which musl asks for once more: no program is started before it is closed. */
    int fd = open(path, O_RDONLY | O_NONBLOCK);
    JS_FreeCString(ctx, path);
    if (fd < 0)
        return JS_NULL;
    if (limit > sizeof text)
        limit = sizeof text;
    ssize_t count = 0;
    size_t length = 0;
    /* Files of /proc come in parts of about a page; a part much smaller than that was the last. */
    do {
        count = read(fd, text + length, limit - length);
        if (count > 0)
            length += count;
    } while (length < limit && count >= PART_BYTES);
    close(fd);
    return count < 0 ? JS_NULL : JS_NewStringLen(ctx, text, length);
}

NATIVE(list_dir)
{
    uint32_t limit, length = 0;
    if (JS_ToUint32(ctx, &limit, argv[1]))
        return JS_EXCEPTION;
    const char *path = JS_ToCString(ctx, argv[0]);
    if (!path)
        return JS_EXCEPTION;
    DIR *dir = opendir(path);
    JS_FreeCString(ctx, path);
    JSValue names = JS_NewArray(ctx);
    struct dirent *entry;
    while (dir && length < limit && !JS_IsException(names) && (entry = readdir(dir))) {
        if (entry->d_name[0] == '.')
            continue;
        if (JS_DefinePropertyValueUint32(ctx, names, length++, JS_NewString(ctx, entry->d_name), JS_PROP_C_W_E) < 0) {
            JS_FreeValue(ctx, names);
            names = JS_EXCEPTION;
        }
    }
    if (dir)
        closedir(dir);
    return names;
}

NATIVE(stat_fs)
{
    const char *path = JS_ToCString(ctx, argv[0]);
    if (!path)
        return JS_EXCEPTION;
    struct statvfs found;
    int failed = statvfs(path, &found);
    JS_FreeCString(ctx, path);
    if (failed)
        return JS_NULL;
    JSValue sizes = JS_NewArray(ctx);
    JS_DefinePropertyValueUint32(ctx, sizes, 0, JS_NewInt64(ctx, found.f_blocks * found.f_frsize), JS_PROP_C_W_E);
    JS_DefinePropertyValueUint32(ctx, sizes, 1, JS_NewInt64(ctx, found.f_bavail * found.f_frsize), JS_PROP_C_W_E);
    return sizes;
}

NATIVE(encode)
{
    size_t length;
    const char *text = JS_ToCStringLen(ctx, &length, argv[0]);
    if (!text)
        return JS_EXCEPTION;
    JSValue bytes = JS_NewArrayBufferCopy(ctx, (const uint8_t *)text, length);
    JS_FreeCString(ctx, text);
    return bytes;
}

NATIVE(decode)
{
    int64_t from, length;
    size_t size;
    if (JS_ToInt64(ctx, &from, argv[1]) || JS_ToInt64(ctx, &length, argv[2]))
        return JS_EXCEPTION;
    uint8_t *bytes = JS_GetArrayBuffer(ctx, &size, argv[0]);
    if (!bytes)
        return JS_EXCEPTION;
    if (from < 0 || length < 0 || (uint64_t)from > size || (uint64_t)length > size - from)
        return JS_ThrowRangeError(ctx, "outside of the buffer");
    return JS_NewStringLen(ctx, (const char *)bytes + from, length);
}

static JSValue listen_at(JSContext *ctx, const struct sockaddr *address, socklen_t size)
{
    int fd = socket(address->sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return result(ctx, fd);
    if (bind(fd, address, size) || listen(fd, BACKLOG)) {
        int failure = errno;
        close(fd);
        errno = failure;
        return result(ctx, -1);
    }
    return result(ctx, fd);
}

NATIVE(listen_vsock)
{
    struct sockaddr_vm address = {.svm_family = AF_VSOCK, .svm_cid = VMADDR_CID_ANY};
    if (JS_ToUint32(ctx, &address.svm_port, argv[0]))
        return JS_EXCEPTION;
    return listen_at(ctx, (struct sockaddr *)&address, sizeof address);
}

NATIVE(listen_unix)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    size_t length;
    const char *path = JS_ToCStringLen(ctx, &length, argv[0]);
    if (!path)
        return JS_EXCEPTION;
    if (length >= sizeof address.sun_path) {
        JS_FreeCString(ctx, path);
        errno = ENAMETOOLONG;
        return result(ctx, -1);
    }
    memcpy(address.sun_path, path, length);
    JS_FreeCString(ctx, path);
    mode_t before = umask(077);
    JSValue fd = listen_at(ctx, (struct sockaddr *)&address, sizeof address);
    umask(before);
    return fd;
}

NATIVE(accept_peer)
{
    int listener;
    struct sockaddr_vm peer = {0};
    socklen_t size = sizeof peer;
    if (JS_ToInt32(ctx, &listener, argv[0]))
        return JS_EXCEPTION;
    int fd = accept4(listener, (struct sockaddr *)&peer, &size, SOCK_CLOEXEC | SOCK_NONBLOCK);
    JSValue pair = JS_NewArray(ctx);
    JS_DefinePropertyValueUint32(ctx, pair, 0, result(ctx, fd), JS_PROP_C_W_E);
    int64_t cid = peer.svm_family == AF_VSOCK ? (int64_t)peer.svm_cid : -1;
    JS_DefinePropertyValueUint32(ctx, pair, 1, JS_NewInt64(ctx, cid), JS_PROP_C_W_E);
    return pair;
}

NATIVE(watch_edges)
{
    int fd;
    struct epoll_event interest = {.events = EPOLLIN | EPOLLOUT | EPOLLET};
    if (JS_ToInt32(ctx, &fd, argv[0]))
        return JS_EXCEPTION;
    int watch = epoll_create1(EPOLL_CLOEXEC);
    if (watch >= 0 && epoll_ctl(watch, EPOLL_CTL_ADD, fd, &interest)) {
        int failure = errno;
        close(watch);
        errno = failure;
        watch = -1;
    }
    return result(ctx, watch);
}

NATIVE(take_edges)
{
    int watch;
    struct epoll_event event;
    if (JS_ToInt32(ctx, &watch, argv[0]))
        return JS_EXCEPTION;
    return result(ctx, epoll_wait(watch, &event, 1, 0));
}

NATIVE(set_clock)
{
    int64_t epoch_ms;
    if (JS_ToInt64(ctx, &epoch_ms, argv[0]))
        return JS_EXCEPTION;
    struct timespec time = {.tv_sec = epoch_ms / 1000, .tv_nsec = epoch_ms % 1000 * 1000000};
    return result(ctx, clock_settime(CLOCK_REALTIME, &time));
}

NATIVE(set_hostname)
{
    size_t length;
    const char *name = JS_ToCStringLen(ctx, &length, argv[0]);
    if (!name)
        return JS_EXCEPTION;
    int failed = sethostname(name, length);
    JS_FreeCString(ctx, name);
    return result(ctx, failed);
}

NATIVE(start_sync)
{
    pid_t pid = fork();
    if (pid == 0) {
        sync();
        _exit(0);
    }
    return result(ctx, pid);
}

NATIVE(power_off)
{
    sync();
    return result(ctx, reboot(RB_POWER_OFF));
}

NATIVE(restart)
{
    sync();
    return result(ctx, reboot(RB_AUTOBOOT));
}

static const JSCFunctionListEntry functions[] = {
    JS_CFUNC_DEF("pid", 0, pid),
    JS_CFUNC_DEF("bootTimeMs", 0, boot_time_ms),
    JS_CFUNC_DEF("cpuTimeMs", 0, cpu_time_ms),
    JS_CFUNC_DEF("readText", 2, read_text),
    JS_CFUNC_DEF("listDir", 2, list_dir),
    JS_CFUNC_DEF("statFs", 1, stat_fs),
    JS_CFUNC_DEF("encode", 1, encode),
    JS_CFUNC_DEF("decode", 3, decode),
    JS_CFUNC_DEF("listenVsock", 1, listen_vsock),
    JS_CFUNC_DEF("listenUnix", 1, listen_unix),
    JS_CFUNC_DEF("accept", 1, accept_peer),
    JS_CFUNC_DEF("watchEdges", 1, watch_edges),
    JS_CFUNC_DEF("takeEdges", 1, take_edges),
    JS_CFUNC_DEF("setClock", 1, set_clock),
    JS_CFUNC_DEF("setHostname", 1, set_hostname),
    JS_CFUNC_DEF("startSync", 0, start_sync),
    JS_CFUNC_DEF("powerOff", 0, power_off),
    JS_CFUNC_DEF("restart", 0, restart),
};

#define COUNT ((int)(sizeof functions / sizeof functions[0]))

static int fill(JSContext *ctx, JSModuleDef *module)
{
    return JS_SetModuleExportList(ctx, module, functions, COUNT);
}

JSModuleDef *js_init_module_native(JSContext *ctx, const char *name)
{
    JSRuntime *runtime = JS_GetRuntime(ctx);
    JS_SetMemoryLimit(runtime, MEMORY_LIMIT_BYTES);
    JS_SetMaxStackSize(runtime, STACK_LIMIT_BYTES);
    JSModuleDef *module = JS_NewCModule(ctx, name, fill);
    if (module)
        JS_AddModuleExportList(ctx, module, functions, COUNT);
    return module;
}
