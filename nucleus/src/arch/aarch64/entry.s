// Into the nucleus and out of it. Interrupts are off throughout. While a thread runs, SP_EL1 points to it: its
// registers come first in it (x0 to x30, SP_EL0, ELR, SPSR). In the nucleus SP_EL1 is the nucleus's stack.

.section .text.entry, "ax"
.global nucleus_entry
nucleus_entry:                          // x0: physical address of the boot information
    msr     daifset, #15
    msr     spsel, #1
    adrp    x9, nucleus_stack_top
    add     x9, x9, :lo12:nucleus_stack_top
    mov     sp, x9
    mov     x29, xzr
    mov     x30, xzr
    bl      nucleus_start
    udf     #0

// Behind `stp x10, x11, [sp, #80]`.
.macro save
    save_first
    save_rest sp
.endm

.macro save_first
    stp     x0, x1, [sp]
    stp     x2, x3, [sp, #16]
    stp     x4, x5, [sp, #32]
    stp     x6, x7, [sp, #48]
    stp     x8, x9, [sp, #64]
    stp     x12, x13, [sp, #96]
    stp     x14, x15, [sp, #112]
    stp     x16, x17, [sp, #128]
    str     x18, [sp, #144]
    str     x30, [sp, #240]
.endm

// What calls that come back at once leave where it is. Needs x16 and x17.
.macro save_rest thread
    str     x19, [\thread, #152]
    stp     x20, x21, [\thread, #160]
    stp     x22, x23, [\thread, #176]
    stp     x24, x25, [\thread, #192]
    stp     x26, x27, [\thread, #208]
    stp     x28, x29, [\thread, #224]
    mrs     x16, sp_el0
    str     x16, [\thread, #248]
    mrs     x16, elr_el1
    mrs     x17, spsr_el1
    stp     x16, x17, [\thread, #{ELR}]
.endm

// x0: the thread; the nucleus's stack.
.macro nucleus_stack
    mov     x0, sp
    adrp    x16, nucleus_stack_top
    add     x16, x16, :lo12:nucleus_stack_top
    mov     sp, x16
.endm

.balign 2048
.global nucleus_vectors
nucleus_vectors:
// In the nucleus, on SP_EL0: never.
.rept 4
    .balign 128
    mov     x3, #0
    b       nucleus_broken
.endr
// In the nucleus: interrupts only while nobody runs.
    .balign 128
    mov     x3, #1
    b       nucleus_broken
    .balign 128
    adrp    x16, nucleus_idles
    ldr     x17, [x16, :lo12:nucleus_idles]
    str     xzr, [x16, :lo12:nucleus_idles]
    mov     x3, #2
    cbz     x17, nucleus_broken
    bl      nucleus_interrupt
    b       nucleus_resume
    .balign 128
    mov     x3, #3
    b       nucleus_broken
    .balign 128
    mov     x3, #4
    b       nucleus_broken
// From user mode.
    .balign 128
    b       nucleus_synchronous
    .balign 128
    stp     x10, x11, [sp, #80]
    save
    nucleus_stack
    bl      nucleus_interrupt
    b       nucleus_resume
    .balign 128
    stp     x10, x11, [sp, #80]
    save
    nucleus_stack
    mov     x3, #5
    b       nucleus_broken
    .balign 128
    stp     x10, x11, [sp, #80]
    save
    nucleus_stack
    mov     x3, #6
    b       nucleus_broken
// From 32-bit user mode: there is none.
.rept 4
    .balign 128
    mov     x3, #7
    b       nucleus_broken
.endr
    .balign 128

nucleus_broken:
    adrp    x16, nucleus_stack_top
    add     x16, x16, :lo12:nucleus_stack_top
    mov     sp, x16
    mrs     x0, esr_el1
    mrs     x1, elr_el1
    mrs     x2, far_el1
    bl      nucleus_fault

.macro scrub first
    mov     x8, xzr
    .irp n, \first, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30
    mov     x\n, xzr
    .endr
.endm

nucleus_synchronous:
    stp     x10, x11, [sp, #80]
    mrs     x10, esr_el1
    lsr     x10, x10, #26
    cmp     x10, #0x15
    b.ne    1f
    ldr     x10, [sp, #{FOREIGN}]
    cbnz    x10, 50f
    cmp     x8, #1
    b.ls    20f                         // PORTAL_CALL, PORTAL_REPLY
10: save_first
    ldr     x10, nucleus_moving
    lsr     x10, x10, x8                // numbers of 64 and more are refused either way
    tbnz    x10, #0, 13f
    nucleus_stack
    str     x0, [sp, #-16]!
    mov     x1, x8
    bl      nucleus_call
    tbnz    x0, #0, 12f
    mov     sp, x0                      // the caller goes on where it was: x19 to x29 and the rest are as they were
    ldr     x30, [sp, #240]
    ldr     x18, [sp, #144]
    ldp     x16, x17, [sp, #128]
    ldp     x14, x15, [sp, #112]
    ldp     x12, x13, [sp, #96]
    ldp     x10, x11, [sp, #80]
    ldp     x8, x9, [sp, #64]
    ldp     x6, x7, [sp, #48]
    ldp     x4, x5, [sp, #32]
    ldp     x2, x3, [sp, #16]
    ldp     x0, x1, [sp]
    eret
12: ldr     x10, [sp]                   // somebody else goes on: the caller's other registers are still here
    save_rest x10
    sub     x0, x0, #1
    b       nucleus_resume
13: save_rest sp
    nucleus_stack
    mov     x1, x8
    bl      nucleus_move
    b       nucleus_resume

// A portal call where nothing is in the way: the words stay in their registers. What the call loses anyway (x10 and
// up) is scratch; nucleus_core::portal does the same, and all other cases.
20: b.eq    30f
    ldr     x10, [sp, #{TASK}]
    cmp     x9, #{RIGHTS_COUNT}
    b.hs    40f
    add     x11, x10, x9, lsl #5
    ldr     w12, [x11, #{RIGHTS}]
    cmp     w12, #{RIGHT_PORTAL}
    b.ne    40f
    ldr     x12, [x11, #({RIGHTS} + 8)]
    ldr     x13, [x12, #{ACTIVE}]
    cbnz    x13, 40f
    ldr     x13, [x12, #{SERVER}]
    cmp     x13, x10
    b.eq    40f
    ldp     x14, x15, [x13, #{SPACE}]
    cbnz    x15, 40f
    adrp    x15, nucleus_guarded
    ldr     x15, [x15, :lo12:nucleus_guarded]
    cbnz    x15, 40f
    ldr     x15, [sp, #{DEPTH}]
    cmp     x15, #{MOST_DEPTH}
    b.hs    40f
    mov     x11, sp
    str     x11, [x12, #{ACTIVE}]
    add     x16, x15, #1
    stp     x13, x16, [sp, #{TASK}]
    add     x16, x11, x15, lsl #5
    mrs     x17, elr_el1
    mrs     x18, sp_el0
    stp     x10, x17, [x16, #{FRAMES}]
    stp     x18, x12, [x16, #({FRAMES} + 16)]
    msr     ttbr0_el1, x14
    ldp     x10, x11, [x12, #{ENTRY}]
    ldr     x9, [x12, #{BADGE}]
    msr     elr_el1, x10
    msr     sp_el0, x11
    msr     spsr_el1, xzr
    scrub   10
    eret

// A reply to a caller that waits alone.
30: ldp     x10, x11, [sp, #{DEPTH}]    // and the floor
    cmp     x10, x11
    b.eq    60f
    sub     x15, x10, #1
    mov     x11, sp
    add     x16, x11, x15, lsl #5
    ldr     x12, [x16, #({FRAMES} + 24)]
    ldr     x13, [x12, #{CALLERS}]
    cbnz    x13, 40f
    ldp     x13, x17, [x16, #{FRAMES}]
    ldp     x14, x10, [x13, #{SPACE}]
    cbnz    x10, 40f
    ldr     x18, [x16, #({FRAMES} + 16)]
    stp     x13, x15, [sp, #{TASK}]
    str     xzr, [x12, #{ACTIVE}]
    msr     ttbr0_el1, x14
    msr     elr_el1, x17
    msr     sp_el0, x18
    msr     spsr_el1, xzr
    scrub   9
    eret

// The long way, without a trace of the short one.
40: .irp n, 12, 13, 14, 15, 16, 17, 18
    mov     x\n, xzr
    .endr
    stp     xzr, xzr, [sp, #80]
    b       10b

// A system call of a foreign task, where nothing is in the way: its handler is entered with all registers but those that
// it could not keep; nucleus_core::handler does the same, and all other cases.
50: ldr     x10, [sp, #80]
    stp     x8, x9, [sp, #{SAVED}]
    stp     x10, x11, [sp, #({SAVED} + 16)]
    ldr     x9, [sp, #{CALL}]
    cbz     x9, 55f
    ldr     x10, [x9, #{ACTIVE}]
    cbnz    x10, 55f
    ldr     x10, [x9, #{SERVER}]
    ldr     x11, [x10, #({SPACE} + 8)]  // special
    cbnz    x11, 55f
    mov     x11, sp
    str     x11, [x9, #{ACTIVE}]
    str     x10, [sp, #{TASK}]
    ldr     x10, [x10, #{SPACE}]
    msr     ttbr0_el1, x10
    mov     x10, #{SYSTEM_CALL}
    stp     x10, xzr, [sp, #{EVENT}]    // and not in foreign code
    mrs     x10, elr_el1
    mrs     x11, spsr_el1
    stp     x10, x11, [sp, #{EVENT_POINTER}]
    mrs     x10, sp_el0
    stp     x10, x9, [sp, #{EVENT_STACK}]
    ldp     x10, x11, [x9, #{ENTRY}]
    msr     elr_el1, x10
    msr     sp_el0, x11
    msr     spsr_el1, xzr
    ldr     x9, [sp, #({CALL} + 8)]
    mov     x10, #{SYSTEM_CALL}
    mov     x11, xzr
    eret
55: ldr     x9, [sp, #({SAVED} + 8)]
    ldr     x11, [sp, #88]
    save_first
    save_rest sp
    nucleus_stack
    bl      nucleus_foreign_call
    b       nucleus_resume

// A reply that ends no call: the handler of a system call is done, or there is nothing to reply to.
60: ldr     x10, [sp, #{EVENT}]
    cmp     x10, #{SYSTEM_CALL}
    b.ne    10b
    ldp     x10, x11, [sp, #{EVENT_STACK}]
    ldr     x9, [x11, #{CALLERS}]
    cbnz    x9, 10b
    ldr     x9, [sp, #{HOME}]
    ldr     x8, [x9, #({SPACE} + 8)]
    cbnz    x8, 65f
    str     x9, [sp, #{TASK}]
    str     xzr, [x11, #{ACTIVE}]
    ldr     x9, [x9, #{SPACE}]
    msr     ttbr0_el1, x9
    msr     sp_el0, x10
    mov     x10, #1
    stp     xzr, x10, [sp, #{EVENT}]    // in foreign code again
    ldp     x10, x11, [sp, #{EVENT_POINTER}]
    msr     elr_el1, x10
    msr     spsr_el1, x11
    ldp     x8, x9, [sp, #{SAVED}]
    ldp     x10, x11, [sp, #({SAVED} + 16)]
    eret
65: mov     x8, #1
    b       10b

.balign 8
nucleus_moving:
    .quad   {MOVING}

1:  save
    mrs     x1, esr_el1
    nucleus_stack
    mrs     x2, far_el1
    bl      nucleus_exception

// Goes on with the thread in x0.
.global nucleus_resume
nucleus_resume:
    adrp    x16, nucleus_guarded
    ldr     x16, [x16, :lo12:nucleus_guarded]
    ldr     x17, [x0, #{THREAD_SPECIAL}]
    orr     x16, x16, x17
    cbnz    x16, 3f
2:  mov     sp, x0
    ldr     x16, [x0, #{TASK}]
    ldr     x17, [x16, #{SPACE}]
    mrs     x16, ttbr0_el1
    cmp     x16, x17
    b.eq    1f
    msr     ttbr0_el1, x17
    isb
1:  ldp     x16, x17, [sp, #{ELR}]
    msr     elr_el1, x16
    msr     spsr_el1, x17
    ldp     x30, x16, [sp, #240]
    msr     sp_el0, x16
    ldp     x0, x1, [sp]
    ldp     x2, x3, [sp, #16]
    ldp     x4, x5, [sp, #32]
    ldp     x6, x7, [sp, #48]
    ldp     x8, x9, [sp, #64]
    ldp     x10, x11, [sp, #80]
    ldp     x12, x13, [sp, #96]
    ldp     x14, x15, [sp, #112]
    ldp     x16, x17, [sp, #128]
    ldp     x18, x19, [sp, #144]
    ldp     x20, x21, [sp, #160]
    ldp     x22, x23, [sp, #176]
    ldp     x24, x25, [sp, #192]
    ldp     x26, x27, [sp, #208]
    ldp     x28, x29, [sp, #224]
    eret
3:  str     x0, [sp, #-16]!
    bl      nucleus_more
    ldr     x0, [sp], #16
    b       2b

// Nobody runs.
.global nucleus_idle
nucleus_idle:
    adrp    x16, nucleus_stack_top
    add     x16, x16, :lo12:nucleus_stack_top
    mov     sp, x16
    adrp    x16, nucleus_idles
    mov     x17, #1
    str     x17, [x16, :lo12:nucleus_idles]
1:  wfi
    msr     daifclr, #3
    isb
    msr     daifset, #3
    b       1b

.section .bss
.balign 16
nucleus_stack:
    .skip 32768
nucleus_stack_top:
nucleus_idles:
    .skip 8
.global nucleus_guarded
nucleus_guarded:                        // not 0: floating-point registers may be used
    .skip 8
