// The door of a packed arm64 image: the header of a Linux `Image`, MMU off, x0 = devicetree. It moves its stream, and itself
// behind that, to the end of the memory that genesis needs, unpacks genesis to where the image was loaded, over the stream, and enters
// it as a loader would, with the time that it was entered itself. The format of the stream is that of crates/compress.
//
// Everything is relative to where it runs. The packer fills in the words at `size` and `from`.
    .section .text.door, "ax"
    .global door
door:
    b       1f
    .long   0
    .quad   0                           // offset from a 2 MiB boundary
size:
    .quad   0                           // with bss and stack
    .quad   0b1010                      // little-endian, 4 KiB pages, anywhere in RAM
    .quad   0, 0, 0
    .ascii  "ARM\x64"
    .long   0
from:
    .quad   0                           // bytes from `door` to the first of the stream,
    .quad   0                           // and to the end of it, a multiple of 16
    .quad   0                           // bytes from where the image is loaded to where all of it is moved,
    .quad   0                           // to the end of what is unpacked,
    .quad   0                           // to where this code goes on, behind the stream,
    .quad   0                           // and to a free page for a table

1:  msr     daifset, #15
    mrs     x21, cntvct_el0
    mov     x20, x0
    adr     x19, door                   // where genesis will be
    adr     x9, from
    ldp     x22, x23, [x9]
    ldp     x24, x25, [x9, #16]
    ldp     x28, x26, [x9, #32]
    add     x24, x24, x19
    add     x25, x25, x19
    add     x26, x26, x19
    add     x28, x28, x19

    // To the end, from the end: nothing is cached yet, so that all accesses are aligned.
    add     x1, x19, x23
    add     x2, x24, x23
2:  ldp     x4, x5, [x1, #-16]!
    stp     x4, x5, [x2, #-16]!
    cmp     x1, x19
    b.ne    2b
    // What is unpacked comes to the code that stands before the stream, so that this goes on in another copy.
    mov     x1, x19
    mov     x2, x28
    add     x3, x19, x22
16: ldp     x4, x5, [x1], #16
    stp     x4, x5, [x2], #16
    cmp     x1, x3
    b.lo    16b
    dsb     sy
    ic      iallu
    dsb     nsh
    isb
    adr     x1, 3f
    sub     x1, x1, x19
    add     x1, x1, x28
    br      x1

    // One table, 512 blocks of 1 GiB: device memory, and normal memory where the image is.
3:  mov     x0, #(1 << 10 | 1)         // a block, with the access flag
    mov     x1, #0
    mov     x3, #(1 << 30)
4:  add     x2, x0, x1, lsl #30
    str     x2, [x26, x1, lsl #3]
    add     x1, x1, #1
    cmp     x1, #512
    b.ne    4b
    ldr     x4, size
    add     x4, x4, x19                 // the image's end
    mov     x0, x19
    bl      normal_gigabyte
    sub     x0, x4, #1
    bl      normal_gigabyte
    dsb     sy
    mov     x0, x26                     // no stale line may shadow it
    add     x1, x26, #4096
5:  dc      ivac, x0
    add     x0, x0, #16
    cmp     x0, x1
    b.ne    5b
    dsb     sy

    movz    x5, #0xff04                 // type 0 device memory, type 1 normal memory
    mrs     x0, id_aa64mmfr0_el1
    and     x0, x0, #7
    cmp     x0, #5
    mov     x1, #5
    csel    x0, x0, x1, ls              // at most 48 bits
    mov     x1, #0x3519                 // 39-bit addresses, write-back inner-shareable walks, 4 KiB
    movz    x2, #0x1805                 // MMU and caches
    mrs     x6, CurrentEL
    cmp     x6, #(2 << 2)
    b.eq    6f
    movk    x1, #0x0080, lsl #16        // no walks of the upper half
    orr     x1, x1, x0, lsl #32
    mrs     x27, sctlr_el1
    movk    x2, #0x30d0, lsl #16
    msr     mair_el1, x5
    msr     tcr_el1, x1
    msr     ttbr0_el1, x26
    isb
    tlbi    vmalle1
    dsb     nsh
    isb
    msr     sctlr_el1, x2
    isb
    b       7f
6:  movk    x1, #0x8080, lsl #16        // the bits that must be one
    orr     x1, x1, x0, lsl #16
    mrs     x27, sctlr_el2
    movk    x2, #0x30c5, lsl #16
    orr     x2, x2, #0x30
    msr     mair_el2, x5
    msr     tcr_el2, x1
    msr     ttbr0_el2, x26
    isb
    tlbi    alle2
    dsb     nsh
    isb
    msr     sctlr_el2, x2
    isb

7:  add     x1, x24, x22                // the stream
    mov     x0, x19                     // what is unpacked
    mov     x3, #1                      // the distance
    adr     x17, masks
next:
    ldrb    w4, [x1], #1
    lsr     w5, w4, #5
    cmp     w5, #7
    b.eq    own_more
    ldr     x6, [x1]                    // at most 6 of the 8
    str     x6, [x0]
    add     x1, x1, x5
    add     x0, x0, x5
owned:
    ands    x6, x4, #3
    b.eq    copy
    ldr     w3, [x1]
    ldr     w7, [x17, x6, lsl #2]
    add     x1, x1, x6
    and     w3, w3, w7
    add     w3, w3, #1
copy:
    ubfx    w5, w4, #2, #3
    cmp     w5, #7
    b.eq    copied_more
    sub     x6, x0, x3
    ldp     x7, x8, [x6]                // at most 9 of the 16
    stp     x7, x8, [x0]
    add     x0, x0, x5
    add     x0, x0, #3
    b       next

own_more:
    mov     x5, #0
8:  ldrb    w6, [x1], #1
    add     x5, x5, x6
    cmp     w6, #255
    b.eq    8b
    add     x6, x1, x5
    add     x7, x0, x5
9:  ldp     x8, x9, [x1], #16
    stp     x8, x9, [x0], #16
    cmp     x0, x7
    b.lo    9b
    mov     x1, x6
    mov     x0, x7
    cmp     x0, x25
    b.ne    owned
    b       all

copied_more:
10: ldrb    w6, [x1], #1
    add     x5, x5, x6
    cmp     w6, #255
    b.eq    10b
    sub     x6, x0, x3
    cmp     w3, #16
    b.lo    repeats
    add     x7, x0, x5
    add     x7, x7, #3
11: ldp     x8, x9, [x6], #16
    stp     x8, x9, [x0], #16
    cmp     x0, x7
    b.lo    11b
    mov     x0, x7
    b       next

// Fewer than 16 bytes away: byte by byte.
repeats:
    add     x5, x5, #3
12: ldrb    w7, [x6], #1
    strb    w7, [x0], #1
    subs    x5, x5, #1
    b.ne    12b
    b       next

all:
    // Everything to memory, and out of the caches: as a loader leaves it.
    mrs     x0, ctr_el0
    ubfx    x0, x0, #16, #4
    mov     x1, #4
    lsl     x1, x1, x0
    mov     x0, x19
    ldr     x4, size
    add     x4, x4, x19
13: dc      civac, x0
    add     x0, x0, x1
    cmp     x0, x4
    b.lo    13b
    dsb     sy
    mrs     x6, CurrentEL
    cmp     x6, #(2 << 2)
    b.eq    14f
    msr     sctlr_el1, x27
    isb
    b       15f
14: msr     sctlr_el2, x27
    isb
15: ic      iallu
    dsb     nsh
    isb
    add     x0, x19, #4                 // the second instruction of genesis: for who comes from here
    br      x0

// Makes the GiB that holds x0 normal memory.
normal_gigabyte:
    lsr     x0, x0, #30
    and     x0, x0, #511
    lsl     x1, x0, #30
    add     x1, x1, #0x705              // block, access flag, inner shareable, memory type 1
    str     x1, [x26, x0, lsl #3]
    ret

    .balign 4
masks:
    .long   0, 0xff, 0xffff, 0xffffff
