# The PVH door: 32-bit protected mode, flat segments, paging off, ebx = start information.
    .section .note.pvh, "a", @note
    .balign 4
    .long 4, 8, 18              # name and description sizes, XEN_ELFNOTE_PHYS32_ENTRY
    .asciz "Xen"
    .quad door

    .section .text.door, "ax"
    .code32
    .global door
door:
    cli
    cld
    rdtsc
    mov esi, eax
    mov ebp, edx
    mov esp, offset stack_end

    # Everything that Rust expects to be zero, and the early page tables with it.
    xor eax, eax
    mov edi, offset bss_start
    mov ecx, offset bss_end
    sub ecx, edi
    shr ecx, 2
    rep stosd
    mov edi, offset early_tables
    mov ecx, 2 * 1024
    rep stosd

    # Identity map of the first 4 GiB in 2 MiB pages; the last GiB, where devices live, uncached.
    mov edi, offset early_tables
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
    mov ecx, 0xc0000080         # EFER: long mode, no-execute, system calls
    rdmsr
    or eax, 0x901
    wrmsr
    mov eax, cr0
    and eax, 0x9fffffff         # caches on
    or eax, 0x80010001          # paging, write protection, protection
    mov cr0, eax
    lgdt [gdt_pointer]
    ljmp 8, offset door_long

    .code64
door_long:
    mov eax, 16
    mov ds, eax
    mov es, eax
    mov ss, eax
    xor eax, eax
    mov fs, eax
    mov gs, eax
    mov edi, ebx
    mov eax, ebp
    shl rax, 32
    mov esi, esi
    or rsi, rax
    xor ebp, ebp
    call door_pvh
    ud2

    .section .rodata.door, "a"
    .balign 8
gdt:
    .quad 0
    .quad 0x00af9b000000ffff    # 8: code, 64 bits
    .quad 0x00cf93000000ffff    # 16: data
gdt_pointer:
    .word 23
    .quad gdt

    .section .noinit.door, "aw", @nobits
    .balign 4096
early_tables:
    .skip 6 * 4096
    .global stack_low
stack_low:
    .skip 256 * 1024
stack_end:
