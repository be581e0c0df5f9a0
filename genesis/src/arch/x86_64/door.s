# The two doors of the x86-64 image. The linker puts this first, and the image is linked at 1 MiB.
    .section .note.pvh, "a", @note
    .balign 4
    .long 4, 8, 18              # name and description sizes, XEN_ELFNOTE_PHYS32_ENTRY
    .asciz "Xen"
    .quad door_at

    .section .text.door, "ax"
    .code32
    .global door
door:
    jmp pvh
    .balign 8, 0x90
    jmp unpacked                # at byte 8: for doors/unpack, which did what comes first
    .balign 16, 0x90

# A loader's door (abi::door): 64-bit mode, interrupts off, loaded anywhere below 4 GiB, rdi = what it tells.
    .code64
loaded:
    cli
    cld
    rdtsc
    shl rdx, 32
    lea rbp, [rdx + rax]
    mov rbx, rdi
    lea rsp, [rip + stack_end]

    # Everything that Rust expects to be zero, and the early page tables with it.
    xor eax, eax
    lea rdi, [rip + bss_start]
    lea rcx, [rip + bss_end]
    sub rcx, rdi
    shr rcx, 3
    rep stosq
    lea rdi, [rip + early_tables]
    mov rsi, rdi
    mov ecx, 2 * 512
    rep stosq

    # The same map as below; rdi is at its third table here.
    lea rax, [rsi + 0x1003]
    mov [rsi], rax
    lea rdx, [rsi + 0x1000]
    lea rax, [rsi + 0x2003]
    mov ecx, 4
1:  mov [rdx], rax
    add rax, 0x1000
    add rdx, 8
    dec ecx
    jnz 1b
    mov eax, 0x83
2:  mov [rdi], rax
    add rdi, 8
    add rax, 0x200000
    mov edx, 0xc0000083
    cmp rax, rdx
    jne 3f
    or rax, 0x18
3:  bt rax, 32
    jnc 2b

    # Packed relative relocations: an even word is an address to move, an odd one a bit map of the 63 words after it.
    lea r9, [rip + door]
    sub r9, 0x100000
    lea r10, [rip + relr_start]
    lea r11, [rip + relr_end]
4:  cmp r10, r11
    jae 9f
    mov rax, [r10]
    add r10, 8
    test al, 1
    jnz 5f
    lea r13, [rax + r9]
    add [r13], r9
    add r13, 8
    jmp 4b
5:  mov r14, r13
6:  shr rax, 1
    jz 8f
    test al, 1
    jz 7f
    add [r14], r9
7:  add r14, 8
    jmp 6b
8:  add r13, 63 * 8
    jmp 4b

9:  mov eax, 0x20               # without global pages: what firmware mapped so is forgotten
    mov cr4, rax
    mov cr3, rsi
    mov eax, 0xa0
    mov cr4, rax
    mov r9, rbx
    mov eax, 0x80000001         # EDX bit 20: no-execute is there (SDM 2A, CPUID); EFER's is bit 11
    cpuid
    mov rbx, r9
    and edx, 1 << 20
    shr edx, 9
    mov r9d, edx
    mov ecx, 0xc0000080
    rdmsr
    or eax, 1 << 8 | 1
    or eax, r9d
    wrmsr
    mov rax, cr0
    and eax, 0x9fffffff
    or eax, 0x80010001
    mov cr0, rax
    lgdt [rip + gdt_pointer]
    push 8
    lea rax, [rip + 10f]
    push rax
    retfq
10: mov rsi, rbp
    lea r15, [rip + door_loaded]
    jmp enter

# The PVH door: 32-bit protected mode, flat segments, paging off, ebx = start information, loaded at 1 MiB. Names that end
# in `_at` are addresses there.
    .code32
pvh:
    cli
    cld
    rdtsc
unpacked:                       # edx, eax: the counter
    mov esi, eax
    mov ebp, edx
    mov esp, offset stack_end_at

    # Everything that Rust expects to be zero, and the early page tables with it.
    xor eax, eax
    mov edi, offset bss_start_at
    mov ecx, offset bss_end_at
    sub ecx, edi
    shr ecx, 2
    rep stosd
    mov edi, offset early_tables_at
    mov ecx, 2 * 1024
    rep stosd

    # Identity map of the first 4 GiB in 2 MiB pages; the last GiB, where devices live, uncached.
    mov edi, offset early_tables_at
    lea eax, [edi + 0x1003]
    mov [edi], eax
    lea edx, [edi + 0x1000]
    lea eax, [edi + 0x2003]
    mov ecx, 4
1:  mov [edx], eax
    add eax, 0x1000
    add edx, 8
    dec ecx
    jnz 1b
    mov eax, 0x83               # present, write, large
2:  mov [edx + 0xfe0], eax      # edx is early_tables + 0x1020 here
    mov dword ptr [edx + 0xfe4], 0
    add edx, 8
    add eax, 0x200000
    cmp eax, 0xc0000083
    jne 3f
    or eax, 0x18                # from here on write-through and cache-disable
3:  test eax, 0xffe00000
    jnz 2b

    mov eax, cr4
    or eax, 0xa0                # PAE, global pages
    mov cr4, eax
    mov cr3, edi
    mov edi, ebx
    mov eax, 0x80000001         # EDX bit 20: no-execute is there (SDM 2A, CPUID); EFER's is bit 11
    cpuid
    mov ebx, edi
    and edx, 1 << 20
    shr edx, 9
    mov edi, edx
    mov ecx, 0xc0000080         # EFER: long mode, system calls, no-execute
    rdmsr
    or eax, 1 << 8 | 1
    or eax, edi
    wrmsr
    mov eax, cr0
    and eax, 0x9fffffff         # caches on
    or eax, 0x80010001          # paging, write protection, protection
    mov cr0, eax
    mov eax, offset gdt_pointer_at
    lgdt [eax]
    ljmp 8, offset door_long_at

    .code64
    .global door_long
door_long:
    mov eax, ebp
    shl rax, 32
    mov esi, esi
    or rsi, rax
    mov ebx, ebx
    lea r15, [rip + door_pvh]

# rbx, rsi: the arguments of the function at r15.
enter:
    mov eax, 16
    mov ds, eax
    mov es, eax
    mov ss, eax
    xor eax, eax
    mov fs, eax
    mov gs, eax
    mov rdi, rbx
    xor ebp, ebp
    call r15
    ud2

    .section .rodata.door, "a"
    .balign 8
gdt:
    .quad 0
    .quad 0x00af9b000000ffff    # 8: code, 64 bits
    .quad 0x00cf93000000ffff    # 16: data
    .global gdt_pointer
gdt_pointer:
    .word 23
    .quad gdt

    .section .noinit.door, "aw", @nobits
    .balign 4096
    .global early_tables
early_tables:
    .skip 6 * 4096
    .global stack_low
stack_low:
    .skip 256 * 1024
    .global stack_end
stack_end:
