/* Counting plugin for the emulator (TCG plugin interface, version 1): how many guest instructions ran between the
 * first instruction of the image and the moment the guest waits for a line, idle time not counted.
 *
 *   -plugin count.so,out=FILE,from=ADDRESS,to=ADDRESS,log=FILE,text=TEXT[,nucleus=ADDRESS,user=ADDRESS]
 *
 * from, to  addresses of the image: the first instruction executed there is the entry
 * log       the log of the serial port (-chardev …,logfile=): it is written before the guest goes on
 * text      once this ends the log, the next halt is the end
 * nucleus   virtual address of the nucleus's first instruction; user: of the first user program's, which counts once the
 *           nucleus has been entered, since others may have used the address before
 *
 * Linux's side has no such prompt: a marker instruction in its first program says where it starts, as
 *   x86-64   nopl 0x4D4B0001(%rax)
 *   arm64    movz xzr, #0x4d01
 *
 * Lines written to `out`: `entry N`, `nucleus N`, `user N`, `marker N`, `waits N`, `end N`; N counts from reset.
 * The interface's few declarations stand here, so that the emulator's headers are not needed.
 * Build: cc -shared -fPIC -O2 -o count.so count.c
 */
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define EXPORT __attribute__((visibility("default")))
struct tb;
struct insn;
struct info {
    const char *target_name;
    struct { int min, cur; } version;
    bool system_emulation;
    struct { int smp_vcpus, max_vcpus; } system;
};
typedef uint64_t plugin;
enum { INLINE_ADD_U64 = 0, CB_NO_REGS = 0 };
extern void qemu_plugin_register_vcpu_tb_trans_cb(plugin, void (*)(plugin, struct tb *));
extern void qemu_plugin_register_atexit_cb(plugin, void (*)(plugin, void *), void *);
extern size_t qemu_plugin_tb_n_insns(const struct tb *);
extern struct insn *qemu_plugin_tb_get_insn(const struct tb *, size_t);
extern const void *qemu_plugin_insn_data(const struct insn *);
extern size_t qemu_plugin_insn_size(const struct insn *);
extern uint64_t qemu_plugin_insn_vaddr(const struct insn *);
extern void qemu_plugin_register_vcpu_insn_exec_inline(struct insn *, int, void *, uint64_t);
extern void qemu_plugin_register_vcpu_insn_exec_cb(struct insn *, void (*)(unsigned, void *), int, void *);
EXPORT int qemu_plugin_version = 1;

static uint64_t count, from, to, nucleus, user;
static bool arm, entered, waits, marked, in_nucleus, in_user;
static FILE *out;
static const char *log_path, *text;

static void line(const char *what, uint64_t value)
{
    fprintf(out, "%s %llu\n", what, (unsigned long long)value);
    fflush(out);
}

static void entry(unsigned cpu, void *unused)
{
    (void)cpu, (void)unused;
    if (!entered) {
        entered = true;
        line("entry", count - 1); /* the instruction itself has been counted */
    }
}

static void first_of_nucleus(unsigned cpu, void *unused)
{
    (void)cpu, (void)unused;
    if (!in_nucleus) {
        in_nucleus = true;
        line("nucleus", count - 1);
    }
}

static void first_of_user(unsigned cpu, void *unused)
{
    (void)cpu, (void)unused;
    if (in_nucleus && !in_user) {
        in_user = true;
        line("user", count - 1);
    }
}

static void marker(unsigned cpu, void *unused)
{
    (void)cpu, (void)unused;
    if (!marked) {
        marked = true;
        line("marker", count);
    }
}

static bool log_ends_with_text(void)
{
    char tail[64];
    size_t length = strlen(text), got;
    FILE *log = fopen(log_path, "rb");
    if (!log)
        return false;
    if (length > sizeof tail || fseek(log, -(long)length, SEEK_END)) {
        fclose(log);
        return false;
    }
    got = fread(tail, 1, length, log);
    fclose(log);
    return got == length && !memcmp(tail, text, length);
}

static void halt(unsigned cpu, void *unused)
{
    (void)cpu, (void)unused;
    if (!waits && log_path && text && log_ends_with_text()) {
        waits = true;
        line("waits", count);
    }
}

static void translate(plugin id, struct tb *tb)
{
    (void)id;
    for (size_t i = 0, n = qemu_plugin_tb_n_insns(tb); i < n; i++) {
        struct insn *insn = qemu_plugin_tb_get_insn(tb, i);
        const uint8_t *bytes = qemu_plugin_insn_data(insn);
        size_t size = qemu_plugin_insn_size(insn);
        uint64_t address = qemu_plugin_insn_vaddr(insn);
        uint32_t word = 0;
        if (size == 4)
            memcpy(&word, bytes, 4);
        qemu_plugin_register_vcpu_insn_exec_inline(insn, INLINE_ADD_U64, &count, 1);
        if (!entered && address >= from && address < to)
            qemu_plugin_register_vcpu_insn_exec_cb(insn, entry, CB_NO_REGS, NULL);
        if (nucleus && address == nucleus)
            qemu_plugin_register_vcpu_insn_exec_cb(insn, first_of_nucleus, CB_NO_REGS, NULL);
        if (user && address == user)
            qemu_plugin_register_vcpu_insn_exec_cb(insn, first_of_user, CB_NO_REGS, NULL);
        if (arm ? size == 4 && word == 0xd503207f : size == 1 && bytes[0] == 0xf4)
            qemu_plugin_register_vcpu_insn_exec_cb(insn, halt, CB_NO_REGS, NULL);
        if (arm ? size == 4 && word == 0xd289a03f : size == 7 && !memcmp(bytes, "\x0f\x1f\x80\x01\x00\x4b\x4d", 7))
            qemu_plugin_register_vcpu_insn_exec_cb(insn, marker, CB_NO_REGS, NULL);
    }
}

static void finish(plugin id, void *unused)
{
    (void)id, (void)unused;
    line("end", count);
}

static const char *value(const char *argument, const char *name)
{
    size_t length = strlen(name);
    return strncmp(argument, name, length) || argument[length] != '=' ? NULL : strdup(argument + length + 1);
}

EXPORT int qemu_plugin_install(plugin id, const struct info *info, int argc, char **argv)
{
    const char *found;
    for (int i = 0; i < argc; i++) {
        if ((found = value(argv[i], "out")))
            out = fopen(found, "w");
        else if ((found = value(argv[i], "from")))
            from = strtoull(found, NULL, 0);
        else if ((found = value(argv[i], "to")))
            to = strtoull(found, NULL, 0);
        else if ((found = value(argv[i], "nucleus")))
            nucleus = strtoull(found, NULL, 0);
        else if ((found = value(argv[i], "user")))
            user = strtoull(found, NULL, 0);
        else if ((found = value(argv[i], "log")))
            log_path = found;
        else if ((found = value(argv[i], "text")))
            text = found;
        else
            return -1;
    }
    if (!out)
        return -1;
    arm = !strcmp(info->target_name, "aarch64");
    qemu_plugin_register_vcpu_tb_trans_cb(id, translate);
    qemu_plugin_register_atexit_cb(id, finish, NULL);
    return 0;
}
