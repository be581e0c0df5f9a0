// memcpy(x0 to, x1 from, x2 bytes), memmove the same: x0 stays. Up to 64 bytes are all loaded before any is stored, so
// that the two ranges may overlap; of more, the end that is reached last is loaded first.

    .section .text.memmove, "ax", %progbits
    .balign 16
    .global memcpy
    .type memcpy, %function
    .global memmove
    .type memmove, %function
memcpy:
memmove:
    add     x16, x1, x2                 // ends of both
    add     x17, x0, x2
    cmp     x2, #16
    b.lo    .Lfew
    cmp     x2, #32
    b.hi    .Lmore
    ldp     x4, x5, [x1]                // 16 to 32: the first 16 and the last 16 bytes
    ldp     x6, x7, [x16, #-16]
    stp     x4, x5, [x0]
    stp     x6, x7, [x17, #-16]
    ret

.Lfew:
    tbz     x2, #3, 1f
    ldr     x4, [x1]                    // 8 to 15
    ldr     x5, [x16, #-8]
    str     x4, [x0]
    str     x5, [x17, #-8]
    ret
1:  tbz     x2, #2, 2f
    ldr     w4, [x1]                    // 4 to 7
    ldr     w5, [x16, #-4]
    str     w4, [x0]
    str     w5, [x17, #-4]
    ret
2:  cbz     x2, 3f
    lsr     x3, x2, #1                  // 1 to 3: the first, the middle and the last, which may be the same
    ldrb    w4, [x1]
    ldrb    w5, [x1, x3]
    ldrb    w6, [x16, #-1]
    strb    w4, [x0]
    strb    w5, [x0, x3]
    strb    w6, [x17, #-1]
3:  ret

.Lmore:
    cmp     x2, #64
    b.hi    .Lmany
    ldp     x4, x5, [x1]                // 33 to 64
    ldp     x6, x7, [x1, #16]
    ldp     x8, x9, [x16, #-32]
    ldp     x10, x11, [x16, #-16]
    stp     x4, x5, [x0]
    stp     x6, x7, [x0, #16]
    stp     x8, x9, [x17, #-32]
    stp     x10, x11, [x17, #-16]
    ret

.Lmany:
    sub     x3, x0, x1
    cmp     x3, x2
    b.lo    .Lbackward                  // the destination begins inside of the source
    ldp     x12, x13, [x16, #-32]
    ldp     x14, x15, [x16, #-16]
    mov     x3, x0
    subs    x2, x2, #96                 // 64 of what comes before the last 32
    b.lo    2f
1:  ldp     x4, x5, [x1], #64
    ldp     x6, x7, [x1, #-48]
    ldp     x8, x9, [x1, #-32]
    ldp     x10, x11, [x1, #-16]
    stp     x4, x5, [x3], #64
    stp     x6, x7, [x3, #-48]
    stp     x8, x9, [x3, #-32]
    stp     x10, x11, [x3, #-16]
    subs    x2, x2, #64
    b.hs    1b
2:  tbz     x2, #5, 3f                  // 64 more than are left: bit 5 is the same
    ldp     x4, x5, [x1], #32
    ldp     x6, x7, [x1, #-16]
    stp     x4, x5, [x3], #32
    stp     x6, x7, [x3, #-16]
3:  ldp     x4, x5, [x1]                // fewer than 32 are left before the last 32
    ldp     x6, x7, [x1, #16]
    stp     x4, x5, [x3]
    stp     x6, x7, [x3, #16]
    stp     x12, x13, [x17, #-32]
    stp     x14, x15, [x17, #-16]
    ret

.Lbackward:
    ldp     x12, x13, [x1]
    ldp     x14, x15, [x1, #16]
    subs    x2, x2, #96
    b.lo    2f
1:  ldp     x4, x5, [x16, #-64]!
    ldp     x6, x7, [x16, #16]
    ldp     x8, x9, [x16, #32]
    ldp     x10, x11, [x16, #48]
    stp     x4, x5, [x17, #-64]!
    stp     x6, x7, [x17, #16]
    stp     x8, x9, [x17, #32]
    stp     x10, x11, [x17, #48]
    subs    x2, x2, #64
    b.hs    1b
2:  tbz     x2, #5, 3f
    ldp     x4, x5, [x16, #-32]!
    ldp     x6, x7, [x16, #16]
    stp     x4, x5, [x17, #-32]!
    stp     x6, x7, [x17, #16]
3:  ldp     x4, x5, [x16, #-32]
    ldp     x6, x7, [x16, #-16]
    stp     x4, x5, [x17, #-32]
    stp     x6, x7, [x17, #-16]
    stp     x12, x13, [x0]
    stp     x14, x15, [x0, #16]
    ret
    .size memmove, . - memmove
    .size memcpy, . - memcpy

// memset(x0 to, w1 byte, x2 bytes): x0 stays.

    .section .text.memset, "ax", %progbits
    .balign 16
    .global memset
    .type memset, %function
memset:
    and     x1, x1, #255
    orr     x1, x1, x1, lsl #8
    orr     x1, x1, x1, lsl #16
    orr     x1, x1, x1, lsl #32
    add     x17, x0, x2
    cmp     x2, #16
    b.lo    3f
    cmp     x2, #64
    b.hi    1f
    stp     x1, x1, [x0]                // 16 to 64: four times 16, from both ends, which may overlap
    stp     x1, x1, [x17, #-16]
    cmp     x2, #32
    b.ls    2f
    stp     x1, x1, [x0, #16]
    stp     x1, x1, [x17, #-32]
2:  ret
3:  tbz     x2, #3, 4f
    str     x1, [x0]
    str     x1, [x17, #-8]
    ret
4:  tbz     x2, #2, 5f
    str     w1, [x0]
    str     w1, [x17, #-4]
    ret
5:  cbz     x2, 6f
    lsr     x3, x2, #1
    strb    w1, [x0]
    strb    w1, [x0, x3]
    strb    w1, [x17, #-1]
6:  ret

1:  stp     x1, x1, [x0]                // the first 64, then whole lines, then the last 64
    stp     x1, x1, [x0, #16]
    stp     x1, x1, [x0, #32]
    stp     x1, x1, [x0, #48]
    add     x3, x0, #64
    and     x3, x3, #-64
    sub     x2, x17, x3
    subs    x2, x2, #64                 // 64 more than are left when it is below 0
    b.ls    9f
    cbnz    x1, 7f
    mrs     x4, dczid_el0               // bit 4: not allowed; the others: words in a block, as a power of 2
    and     x4, x4, #31
    cmp     x4, #4
    b.ne    7f
8:  dc      zva, x3                     // 64 bytes of zeros
    add     x3, x3, #64
    subs    x2, x2, #64
    b.hi    8b
    b       9f
7:  stp     x1, x1, [x3], #64
    stp     x1, x1, [x3, #-48]
    stp     x1, x1, [x3, #-32]
    stp     x1, x1, [x3, #-16]
    subs    x2, x2, #64
    b.hi    7b
9:  stp     x1, x1, [x17, #-64]
    stp     x1, x1, [x17, #-48]
    stp     x1, x1, [x17, #-32]
    stp     x1, x1, [x17, #-16]
    ret
    .size memset, . - memset

// memcmp(x0, x1, x2 bytes): below, at or above 0 as the first bytes that differ; bcmp the same.

    .section .text.memcmp, "ax", %progbits
    .balign 16
    .global memcmp
    .type memcmp, %function
    .global bcmp
    .type bcmp, %function
memcmp:
bcmp:
    subs    x2, x2, #8
    b.lo    3f
1:  ldr     x4, [x0], #8
    ldr     x5, [x1], #8
    cmp     x4, x5
    b.ne    2f
    subs    x2, x2, #8
    b.hi    1b
    add     x0, x0, x2                  // the last eight, some of them once more
    add     x1, x1, x2
    ldr     x4, [x0]
    ldr     x5, [x1]
2:  rev     x4, x4
    rev     x5, x5
    cmp     x4, x5
    cset    w0, ne
    cneg    w0, w0, lo
    ret
3:  tbz     x2, #2, 4f                  // fewer than 8: bits 0 to 2 are those of the number
    ldr     w4, [x0], #4
    ldr     w5, [x1], #4
    cmp     w4, w5
    b.ne    5f
4:  tbz     x2, #1, 6f
    ldrh    w4, [x0], #2
    ldrh    w5, [x1], #2
    cmp     w4, w5
    b.ne    5f
6:  mov     w4, wzr
    mov     w5, wzr
    tbz     x2, #0, 5f
    ldrb    w4, [x0]
    ldrb    w5, [x1]
5:  rev     w4, w4
    rev     w5, w5
    cmp     w4, w5
    cset    w0, ne
    cneg    w0, w0, lo
    ret
    .size memcmp, . - memcmp
    .size bcmp, . - bcmp
