// The arm64 door: the header of a Linux `Image`, MMU off, x0 = devicetree, or what a loader tells
// (abi::door).
    .section .text.door, "ax"
    .global door
door:
    b       1f
    b       unpacked                    // for doors/unpack, which did what comes first
    .quad   0                           // offset from a 2 MiB boundary
    .quad   image_size                  // with bss and stack
    .quad   0b1010                      // little-endian, 4 KiB pages, anywhere in RAM
    .quad   0, 0, 0
    .ascii  "ARM\x64"
    .long   0

1:  msr     daifset, #15
    mov     x20, x0
    mrs     x21, cntvct_el0
unpacked:                               // x20, x21: what a loader gave, the counter
    mrs     x0, CurrentEL
    cmp     x0, #(2 << 2)
    b.ne    3f

    // From the hypervisor's level down to the kernel's, with timers, counters and the interrupt interface open to it.
    mov     x0, #(1 << 31)
    msr     hcr_el2, x0
    mov     x0, #3
    msr     cnthctl_el2, x0
    msr     cntvoff_el2, xzr
    mov     x0, #0x33ff
    msr     cptr_el2, x0
    msr     hstr_el2, xzr
    mrs     x0, midr_el1
    msr     vpidr_el2, x0
    mrs     x0, mpidr_el1
    msr     vmpidr_el2, x0
    mrs     x0, id_aa64pfr0_el1
    ubfx    x0, x0, #24, #4             // system-register interrupt interface
    cbz     x0, 2f
    mrs     x0, s3_4_c12_c9_5
    orr     x0, x0, #1
    orr     x0, x0, #8
    msr     s3_4_c12_c9_5, x0
    isb
2:  movz    x0, #0x0800                 // SCTLR_EL1 with its reserved ones: caches and MMU off
    movk    x0, #0x30d0, lsl #16
    msr     sctlr_el1, x0
    mov     x0, #0x3c5                  // EL1 with its own stack pointer, all masked
    msr     spsr_el2, x0
    adr     x0, 3f
    msr     elr_el2, x0
    eret

    // Early identity map, 512 blocks of 1 GiB: device memory, except where this image and the devicetree are.
3:  adrp    x22, early_tables
    add     x22, x22, :lo12:early_tables
    add     x23, x22, #4096
    mov     x1, x22                     // no stale line may shadow what is written with the caches off
    mov     x2, #8192
4:  dc      ivac, x1
    add     x1, x1, #16
    subs    x2, x2, #16
    b.ne    4b
    dsb     sy
    mov     x1, x22
    mov     x2, #512
5:  stp     xzr, xzr, [x1], #16
    subs    x2, x2, #2
    b.ne    5b
    orr     x0, x23, #3
    str     x0, [x22]
    mov     x0, #0x401                  // block, access flag, memory type 0
    mov     x2, #512
    mov     x1, x23
    mov     x3, #(1 << 30)
6:  str     x0, [x1], #8
    add     x0, x0, x3
    subs    x2, x2, #1
    b.ne    6b
    adr     x0, door
    bl      normal_gigabyte
    mov     x0, x20
    bl      normal_gigabyte
    dsb     sy
    mov     x1, x22
    mov     x2, #8192
7:  dc      ivac, x1
    add     x1, x1, #16
    subs    x2, x2, #16
    b.ne    7b
    dsb     sy

    movz    x0, #0xff04                 // abi::boot::memory_type::MAIR
    movk    x0, #0x44, lsl #16
    msr     mair_el1, x0
    mrs     x1, id_aa64mmfr0_el1
    and     x1, x1, #7
    cmp     x1, #5
    mov     x2, #5
    csel    x1, x1, x2, ls              // at most 48 bits
    movz    x0, #0x3510                 // 48-bit halves, write-back inner-shareable walks, 4 KiB
    movk    x0, #0xb510, lsl #16
    orr     x0, x0, x1, lsl #32
    msr     tcr_el1, x0
    msr     ttbr0_el1, x22
    msr     ttbr1_el1, x22
    isb
    tlbi    vmalle1
    ic      iallu
    dsb     nsh
    isb
    movz    x0, #0x1805                 // MMU, caches, stack alignment off, reserved ones
    movk    x0, #0x30d0, lsl #16
    msr     sctlr_el1, x0
    isb
    msr     spsel, #1

    // Zero what Rust expects to be zero.
    adrp    x0, bss_start
    add     x0, x0, :lo12:bss_start
    adrp    x1, bss_end
    add     x1, x1, :lo12:bss_end
8:  cmp     x0, x1
    b.hs    9f
    stp     xzr, xzr, [x0], #16
    b       8b

    // Packed relative relocations: an even word is an address to move, an odd one a bit map of the 63 words after it.
9:  adr     x9, door                    // linked at 0: this is how far everything moves
    adrp    x10, relr_start
    add     x10, x10, :lo12:relr_start
    adrp    x11, relr_end
    add     x11, x11, :lo12:relr_end
10: cmp     x10, x11
    b.hs    14f
    ldr     x12, [x10], #8
    tbnz    x12, #0, 11f
    add     x13, x12, x9
    ldr     x14, [x13]
    add     x14, x14, x9
    str     x14, [x13], #8
    b       10b
11: mov     x15, x13
12: lsr     x12, x12, #1
    cbz     x12, 13f
    tbz     x12, #0, 15f
    ldr     x14, [x15]
    add     x14, x14, x9
    str     x14, [x15]
15: add     x15, x15, #8
    b       12b
13: add     x13, x13, #504
    b       10b

14: adrp    x0, stack_end
    add     x0, x0, :lo12:stack_end
    mov     sp, x0
    adrp    x0, vector_table
    add     x0, x0, :lo12:vector_table
    msr     vbar_el1, x0
    isb
    mov     x0, x20
    mov     x1, x21
    mov     x29, xzr
    mov     x30, xzr
    bl      door_image
    brk     #1

// Makes the GiB that holds x0 normal memory in the table at x23.
normal_gigabyte:
    lsr     x0, x0, #30
    and     x0, x0, #511
    lsl     x1, x0, #30
    add     x1, x1, #0x705              // block, access flag, inner shareable, memory type 1
    str     x1, [x23, x0, lsl #3]
    ret

    .section .noinit.door, "aw", @nobits
    .balign 4096
    .global early_tables
early_tables:
    .skip 2 * 4096
    .global stack_low
stack_low:
    .skip 256 * 1024
stack_end:
