// Exceptions: registers go to the stack, `exception` judges, and the interrupted code goes on.
    .section .text.vectors, "ax"
    .balign 2048
    .global vector_table
vector_table:
    .set kind, 0
    .rept 16
    .balign 128
    sub     sp, sp, #272
    stp     x0, x1, [sp]
    mov     x0, #kind
    b       vector_common
    .set kind, kind + 1
    .endr

    .balign 128
vector_common:
    stp     x2, x3, [sp, #16]
    stp     x4, x5, [sp, #32]
    stp     x6, x7, [sp, #48]
    stp     x8, x9, [sp, #64]
    stp     x10, x11, [sp, #80]
    stp     x12, x13, [sp, #96]
    stp     x14, x15, [sp, #112]
    stp     x16, x17, [sp, #128]
    stp     x18, x19, [sp, #144]
    stp     x29, x30, [sp, #160]
    mrs     x1, elr_el1
    mrs     x2, spsr_el1
    stp     x1, x2, [sp, #176]
    mov     x1, sp
    bl      exception
    ldp     x1, x2, [sp, #176]
    msr     elr_el1, x1
    msr     spsr_el1, x2
    ldp     x2, x3, [sp, #16]
    ldp     x4, x5, [sp, #32]
    ldp     x6, x7, [sp, #48]
    ldp     x8, x9, [sp, #64]
    ldp     x10, x11, [sp, #80]
    ldp     x12, x13, [sp, #96]
    ldp     x14, x15, [sp, #112]
    ldp     x16, x17, [sp, #128]
    ldp     x18, x19, [sp, #144]
    ldp     x29, x30, [sp, #160]
    ldp     x0, x1, [sp]
    add     sp, sp, #272
    eret

// Accesses that may fault. x0 = address, x1 = value; x0 = value, x1 = 1 after a fault.
// An exception between `probe_first` and `probe_last` continues at `probe_failed`.
    .global probe_first, probe_last, probe_failed
    .global probe_read_8, probe_read_16, probe_read_32, probe_read_64
    .global probe_write_8, probe_write_16, probe_write_32, probe_write_64
    .global probe_register
probe_first:
probe_read_8:
    ldrb    w0, [x0]
    b       probe_barrier
probe_read_16:
    ldrh    w0, [x0]
    b       probe_barrier
probe_read_32:
    ldr     w0, [x0]
    b       probe_barrier
probe_read_64:
    ldr     x0, [x0]
    b       probe_barrier
probe_write_8:
    strb    w1, [x0]
    b       probe_barrier
probe_write_16:
    strh    w1, [x0]
    b       probe_barrier
probe_write_32:
    str     w1, [x0]
    b       probe_barrier
probe_write_64:
    str     x1, [x0]
probe_barrier:
    dsb     sy                          // a refused write reports itself here, not later
    mov     x1, #0
    ret
// One instruction written by the caller (`mrs x0, …` or `msr …, x0`), then back.
probe_register:
    nop
    isb
    mov     x1, #0
    ret
probe_last:
probe_failed:
    mov     x1, #1
    ret
