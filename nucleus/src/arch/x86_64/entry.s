# Into the nucleus and out of it. Interrupts are off throughout; STATE's first word is the current thread, whose
# registers come first in it, in the order in which the CPU and these instructions push them.

.section .text.entry, "ax"
.global nucleus_entry
nucleus_entry:                          # rdi: physical address of the boot information
    cli
    cld
    lea     rsp, [rip + nucleus_stack_top]
    xor     ebp, ebp
    call    nucleus_start
    ud2

# A system call. rcx: where to return, r11: flags, rsp: the user's.
.global nucleus_syscall
.balign 64
nucleus_syscall:
    cmp     qword ptr [rip + nucleus_foreign], 0
    jne     40f
    cmp     rax, 1
    jbe     20f                         # PORTAL_CALL, PORTAL_REPLY

10: mov     [rip + nucleus_user_stack], rsp
    mov     rsp, [rip + STATE]
    mov     [rsp + {RDI}], rdi
    mov     [rsp + {RSI}], rsi
    mov     [rsp + {RDX}], rdx
    mov     [rsp + {R10}], r10
    mov     [rsp + {R8}], r8
    mov     [rsp + {R9}], r9
    mov     [rsp + {RIP}], rcx
    mov     [rsp + {RFLAGS}], r11
    mov     rdi, [rip + nucleus_user_stack]
    mov     [rsp + {RSP}], rdi
    mov     rdi, rsp
    mov     rsi, rax
    movabs  rcx, {MOVING}
    bt      rcx, rax                    # numbers of 64 and more are refused either way
    jc      13f
    lea     rsp, [rip + nucleus_stack_top - 16]
    mov     [rsp], rdi
    call    nucleus_call
    test    al, 1
    jnz     12f
    mov     rsp, rax                    # the caller goes on where it was: rbx, rbp, r12 to r15 are as they were
    mov     rax, [rsp + {RAX}]
    mov     rdi, [rsp + {RDI}]
    mov     rsi, [rsp + {RSI}]
    mov     rdx, [rsp + {RDX}]
    mov     r10, [rsp + {R10}]
    mov     r8, [rsp + {R8}]
    mov     r9, [rsp + {R9}]
    mov     rcx, [rsp + {RIP}]
    mov     r11, [rsp + {RFLAGS}]
    mov     rsp, [rsp + {RSP}]
    sysretq
.macro save_rest thread
    mov     [\thread + {R12}], r12
    mov     [\thread + {R13}], r13
    mov     [\thread + {R14}], r14
    mov     [\thread + {R15}], r15
    mov     [\thread + {RBX}], rbx
    mov     [\thread + {RBP}], rbp
.endm
12: mov     rdi, [rsp]                  # somebody else goes on: the caller's other registers are still here
    mov     qword ptr [rdi + {VECTOR}], {BY_CALL}
    save_rest rdi
    lea     rdi, [rax - 1]
    jmp     nucleus_resume
13: mov     [rdi + {RAX}], rax
    mov     qword ptr [rdi + {VECTOR}], {BY_CALL}
    save_rest rdi
    lea     rsp, [rip + nucleus_stack_top]
    call    nucleus_move
    mov     rdi, rax
    jmp     nucleus_resume

# A portal call where nothing is in the way: the words stay in their registers. What the call loses anyway (rbx, rbp,
# r14, r15) is scratch; nucleus_core::portal does the same, and all other cases.
20: je      30f
    mov     rbx, [rip + STATE]
    mov     rbp, [rbx + {TASK}]
    cmp     r14, {RIGHTS_COUNT}
    jae     25f
    mov     r15, r14
    shl     r15, 5
    add     r15, rbp
    cmp     dword ptr [r15 + {RIGHTS}], {RIGHT_PORTAL}
    jne     25f
    mov     rax, [r15 + {RIGHTS} + 8]
    cmp     qword ptr [rax + {ACTIVE}], 0
    jne     25f
    mov     r15, [rax + {SERVER}]
    cmp     r15, rbp
    je      25f
    cmp     qword ptr [r15 + {SPECIAL}], 0
    jne     25f
    cmp     qword ptr [rip + nucleus_guarded], 0
    jne     25f
    cmp     qword ptr [rbx + {DEPTH}], {MOST_DEPTH}
    jae     25f
    mov     r14, [rbx + {DEPTH}]
    mov     [rax + {ACTIVE}], rbx
    inc     qword ptr [rbx + {DEPTH}]
    mov     [rbx + {TASK}], r15
    shl     r14, 5
    add     r14, rbx
    mov     [r14 + {FRAMES} + {FRAME_TASK}], rbp
    mov     [r14 + {FRAMES} + {FRAME_POINTER}], rcx
    mov     [r14 + {FRAMES} + {FRAME_STACK}], rsp
    mov     [r14 + {FRAMES} + {FRAME_PORTAL}], rax
    mov     rcx, [r15 + {SPACE}]
    mov     cr3, rcx
    mov     rcx, [rax + {ENTRY}]
    mov     rsp, [rax + {STACK}]
    mov     r14, [rax + {BADGE}]
    mov     r11d, {FLAGS}
    xor     eax, eax
    xor     ebx, ebx
    xor     ebp, ebp
    xor     r15d, r15d
    sysretq
25: xor     eax, eax
    xor     ebx, ebx
    xor     ebp, ebp
    xor     r15d, r15d
    jmp     10b

# A reply to a caller that waits alone.
30: mov     rax, [rip + STATE]
    mov     r11, [rax + {DEPTH}]        # flags: the way in loses r11 anyway
    cmp     r11, [rax + {FLOOR}]
    je      50f
    mov     rbx, rax
    lea     r15, [r11 - 1]
    mov     rbp, r15
    shl     rbp, 5
    add     rbp, rbx
    mov     rax, [rbp + {FRAMES} + {FRAME_PORTAL}]
    cmp     qword ptr [rax + {CALLERS}], 0
    jne     35f
    mov     r14, [rbp + {FRAMES} + {FRAME_TASK}]
    cmp     qword ptr [r14 + {SPECIAL}], 0
    jne     35f
    cmp     qword ptr [rip + nucleus_special], 0
    jne     35f
    mov     [rbx + {DEPTH}], r15
    mov     qword ptr [rax + {ACTIVE}], 0
    mov     [rbx + {TASK}], r14
    mov     rcx, [r14 + {SPACE}]
    mov     cr3, rcx
    mov     rcx, [rbp + {FRAMES} + {FRAME_POINTER}]
    mov     rsp, [rbp + {FRAMES} + {FRAME_STACK}]
    mov     r11d, {FLAGS}
    xor     eax, eax
    xor     ebx, ebx
    xor     ebp, ebp
    xor     r14d, r14d
    xor     r15d, r15d
    sysretq
35: mov     eax, 1
    mov     r11d, {FLAGS}
    xor     ebx, ebx
    xor     ebp, ebp
    xor     r14d, r14d
    xor     r15d, r15d
    jmp     10b

# A system call of a foreign task, where nothing is in the way: its handler is entered with all registers but those that
# it could not keep; nucleus_core::handler does the same, and all other cases.
40: mov     [rip + nucleus_user_stack], rsp
    mov     rsp, [rip + STATE]
    mov     [rsp + {EVENT_POINTER}], rcx
    mov     [rsp + {EVENT_FLAGS}], r11
    mov     rcx, [rsp + {CALL_PORTAL}]
    test    rcx, rcx
    jz      45f
    cmp     qword ptr [rcx + {ACTIVE}], 0
    jne     45f
    mov     r11, [rcx + {SERVER}]
    cmp     qword ptr [r11 + {SPECIAL}], 0
    jne     45f
    cmp     qword ptr [rip + nucleus_special], 0
    jne     45f
    mov     [rcx + {ACTIVE}], rsp
    mov     [rsp + {EVENT_PORTAL}], rcx
    mov     qword ptr [rsp + {EVENT}], {SYSTEM_CALL}
    mov     qword ptr [rsp + {FOREIGN}], 0
    mov     qword ptr [rip + nucleus_foreign], 0
    mov     [rsp + {TASK}], r11
    mov     r11, [r11 + {SPACE}]
    mov     cr3, r11
    mov     r11, [rip + nucleus_user_stack]
    mov     [rsp + {EVENT_STACK}], r11
    mov     [rsp + {SAVED}], rax
    mov     [rsp + {SAVED} + 8], r14
    mov     [rsp + {SAVED} + 16], r15
    mov     r14, [rsp + {CALL_COOKIE}]
    mov     r15d, {SYSTEM_CALL}
    mov     r11d, {FLAGS}
    mov     rsp, [rcx + {STACK}]
    mov     rcx, [rcx + {ENTRY}]
    sysretq
45: mov     [rsp + {RAX}], rax
    mov     [rsp + {RDI}], rdi
    mov     [rsp + {RSI}], rsi
    mov     [rsp + {RDX}], rdx
    mov     [rsp + {R10}], r10
    mov     [rsp + {R8}], r8
    mov     [rsp + {R9}], r9
    mov     rcx, [rsp + {EVENT_POINTER}]
    mov     [rsp + {RIP}], rcx
    mov     rcx, [rsp + {EVENT_FLAGS}]
    mov     [rsp + {RFLAGS}], rcx
    mov     rcx, [rip + nucleus_user_stack]
    mov     [rsp + {RSP}], rcx
    mov     rdi, rsp
    mov     qword ptr [rdi + {VECTOR}], {BY_CALL}
    save_rest rdi
    lea     rsp, [rip + nucleus_stack_top]
    call    nucleus_foreign_call
    mov     rdi, rax
    jmp     nucleus_resume

# A reply that ends no call: the handler of a system call is done, or there is nothing to reply to.
50: cmp     qword ptr [rax + {EVENT}], {SYSTEM_CALL}
    jne     55f
    mov     rcx, [rax + {EVENT_PORTAL}] # where the handler stands does not matter any more
    cmp     qword ptr [rcx + {CALLERS}], 0
    jne     55f
    mov     r11, [rax + {HOME}]
    cmp     qword ptr [r11 + {SPECIAL}], 0
    jne     55f
    cmp     qword ptr [rip + nucleus_special], 0
    jne     55f
    mov     qword ptr [rcx + {ACTIVE}], 0
    mov     qword ptr [rax + {EVENT}], 0
    mov     [rax + {TASK}], r11
    mov     qword ptr [rax + {FOREIGN}], 1
    mov     qword ptr [rip + nucleus_foreign], 1
    mov     r11, [r11 + {SPACE}]
    mov     cr3, r11
    mov     rcx, r14
    mov     r14, [rax + {SAVED} + 8]
    mov     r15, [rax + {SAVED} + 16]
    mov     rsp, [rax + {EVENT_STACK}]
    mov     r11, [rax + {EVENT_FLAGS}]
    xchg    rax, rcx
    mov     rcx, [rcx + {EVENT_POINTER}]
    sysretq
55: mov     eax, 1
    mov     r11d, {FLAGS}
    jmp     10b


# Goes on with the thread in rdi.
.global nucleus_resume
nucleus_resume:
    mov     rax, [rdi + {FOREIGN}]
    mov     [rip + nucleus_foreign], rax
    mov     rax, [rdi + {TASK}]
    mov     rcx, [rip + nucleus_guarded]
    or      rcx, [rax + {SPECIAL}]
    or      rcx, [rdi + {THREAD_SPECIAL}]
    jnz     5f
2:  lea     rdx, [rdi + {REGISTERS}]
    mov     [rip + NUCLEUS_TSS + 4], rdx
    mov     rcx, [rax + {SPACE}]
    mov     rdx, cr3
    cmp     rcx, rdx
    je      3f
    mov     cr3, rcx
3:  mov     rsp, rdi
    cmp     qword ptr [rsp + {VECTOR}], {BY_CALL}
    jne     4f
    mov     rax, [rsp + {RAX}]
    mov     rdi, [rsp + {RDI}]
    mov     rsi, [rsp + {RSI}]
    mov     rdx, [rsp + {RDX}]
    mov     r10, [rsp + {R10}]
    mov     r8, [rsp + {R8}]
    mov     r9, [rsp + {R9}]
    mov     r12, [rsp + {R12}]
    mov     r13, [rsp + {R13}]
    mov     r14, [rsp + {R14}]
    mov     r15, [rsp + {R15}]
    mov     rbx, [rsp + {RBX}]
    mov     rbp, [rsp + {RBP}]
    mov     rcx, [rsp + {RIP}]
    mov     r11, [rsp + {RFLAGS}]
    mov     rsp, [rsp + {RSP}]
    sysretq
4:  pop     r15                         # it was interrupted: everything is as it was
    pop     r14
    pop     r13
    pop     r12
    pop     r11
    pop     r10
    pop     r9
    pop     r8
    pop     rbp
    pop     rdi
    pop     rsi
    pop     rdx
    pop     rcx
    pop     rbx
    pop     rax
    add     rsp, 16
    iretq
5:  lea     rsp, [rip + nucleus_stack_top]
    push    rdi
    push    rdi
    call    nucleus_more
    pop     rdi
    pop     rdi
    mov     rax, [rdi + {TASK}]
    jmp     2b

# Nobody runs.
.global nucleus_idle
nucleus_idle:
    lea     rsp, [rip + nucleus_stack_top]
    mov     qword ptr [rip + nucleus_idles], 1
2:  sti
    hlt
    cli
    call    nucleus_alarmed             # a non-maskable interrupt ends the rest, too
    jmp     2b

# All vectors, 16 bytes each: vector and error code on the stack.
.balign 16
.global nucleus_vectors
nucleus_vectors:
.set vector, 0
.rept 256
    .balign 16
    .if (vector != 8) && (vector != 17) && ((vector < 10) || (vector > 14)) && (vector != 21) && (vector != 29) && (vector != 30)
    push    0
    .endif
    push    vector
    jmp     nucleus_vector
    .set vector, vector + 1
.endr
    .balign 16

# On the stack: vector, error code, rip, cs, flags, rsp, ss. From user mode it is the end of the thread's registers.
nucleus_vector:
    cmp     qword ptr [rsp], 2          # these three are on stacks of their own
    je      9f
    cmp     qword ptr [rsp], 8
    je      8f
    cmp     qword ptr [rsp], 18
    je      10f
    test    byte ptr [rsp + 24], 3
    jz      7f
    push    rax
    push    rbx
    push    rcx
    push    rdx
    push    rsi
    push    rdi
    push    rbp
    push    r8
    push    r9
    push    r10
    push    r11
    push    r12
    push    r13
    push    r14
    push    r15
    cld
    mov     rdi, rsp
    lea     rsp, [rip + nucleus_stack_top]
    call    nucleus_interrupt
    mov     rdi, rax
    jmp     nucleus_resume
7:  cmp     qword ptr [rsp], 32         # in the nucleus: only while nobody runs, and only interrupts
    jb      8f
    cmp     qword ptr [rip + nucleus_idles], 0
    je      8f
    mov     qword ptr [rip + nucleus_idles], 0
    mov     rdi, [rsp]
    lea     rsp, [rip + nucleus_stack_top]
    call    nucleus_woken
    mov     rdi, rax
    jmp     nucleus_resume
8:  mov     rdi, rsp
    lea     rsp, [rip + nucleus_stack_top]
    call    nucleus_fault
# A non-maskable interrupt may come anywhere in the nucleus: it is counted, and said when an interrupt comes next.
9:  inc     qword ptr [rip + nucleus_alarms]
    add     rsp, 16
    iretq
# A machine check, too; where it comes back, what it found is said the same way.
10: push    rax
    push    rcx
    push    rdx
    push    rsi
    push    rdi
    push    r8
    push    r9
    push    r10
    push    r11
    cld
    call    nucleus_machine_check       # five words from the CPU, two from the vector, nine from here: aligned
    pop     r11
    pop     r10
    pop     r9
    pop     r8
    pop     rdi
    pop     rsi
    pop     rdx
    pop     rcx
    pop     rax
    add     rsp, 16
    iretq

.section .bss
.balign 16
nucleus_stack:
    .skip 32768
nucleus_stack_top:
nucleus_user_stack:
    .skip 8
nucleus_idles:
    .skip 8
.global nucleus_alarms
nucleus_alarms:                         # non-maskable interrupts that came
    .skip 8
nucleus_foreign:                        # not 0: system calls of who runs are events
    .skip 8
.global nucleus_special
nucleus_special:                        # not 0: the bitmap of I/O ports is shown
    .skip 8
.global nucleus_guarded
nucleus_guarded:                        # not 0: that, or floating-point registers may be used
    .skip 8
