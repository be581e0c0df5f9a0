# The door of a packed x86-64 image: 32-bit protected mode, flat segments, paging off, ebx = start information (PVH). It
# unpacks genesis to where genesis is linked, over its own stream, and enters it as a loader would, with the time that it
# was entered itself. The format of the stream is that of crates/compress.
#
# It is linked at 0: what the linker knows as an address is the distance from `door`. Each of the 256 tokens has its own
# instructions: about eleven are most steps. More than was asked for is copied, and written over by what follows.
#
# The packer puts its own address into the first instruction, and the four words behind it.
    .section .text.steps, "awx"
    .balign 4
steps:
    .section .text.door, "ax"
    .code32
    .global door
door:
    .byte 0xbd                  # mov ebp, the address of `door`
    .long 0
    jmp 1f
    .balign 16
from:     .long 0               # first byte of the stream
to:       .long 0               # where genesis is put,
to_end:   .long 0               # and ends
entry:    .long 0               # its entry for who has unpacked it
kept:     .long 0, 0, 0, 0, 0   # start information, CR0, CR4, counter

    .equ FROM, from - door
    .equ TO_END, to_end - door
    .equ ENTRY, entry - door
    .equ KEPT, kept - door

1:  cli
    cld
    rdtsc
    mov [ebp + KEPT + 12], eax
    mov [ebp + KEPT + 16], edx
    mov [ebp + KEPT], ebx
    # Registers of 16 bytes, which the processor has to be told are used (SDM volume 3, 13.1).
    mov eax, cr0
    mov [ebp + KEPT + 4], eax
    and eax, 0xfffffff3
    mov cr0, eax
    mov eax, cr4
    mov [ebp + KEPT + 8], eax
    or eax, 0x200
    mov cr4, eax
    # Where each token's instructions are, now that it is known where this is.
    mov ecx, 256
1:  add [ebp + ecx * 4 + steps - 4], ebp
    dec ecx
    jnz 1b

    # esi = the next step, edi = where it goes, ebx = the distance less 1.
    mov esi, [ebp + FROM]
    mov edi, [ebp + FROM + 4]
    xor ebx, ebx

    .macro next
    movzx eax, byte ptr [esi]
    jmp [ebp + eax * 4 + steps]
    .endm

    # ebx, from behind the token and so many bytes.
    .macro distance bytes, behind
    .if \bytes == 1
    movzx ebx, byte ptr [esi + \behind]
    .elseif \bytes == 2
    movzx ebx, word ptr [esi + \behind]
    .elseif \bytes == 3
    mov ebx, [esi + \behind - 1]
    shr ebx, 8
    .endif
    .endm

    # A token with `own` bytes of its own, `copied` less 3, and a distance in so many bytes.
    .macro step own, copied, bytes
77: .pushsection .text.steps, "awx"
    .long 77b
    .popsection
    .if \own > 0
    movups xmm0, [esi + 1]
    movups [edi], xmm0
    .endif
    distance \bytes, \own + 1
    add esi, \own + 1 + \bytes
    .if \copied == 7
    .if \own > 0
    add edi, \own
    .endif
    jmp many
    .else
    lea edx, [edi + \own - 1]
    sub edx, ebx
    movups xmm0, [edx]
    movups [edi + \own], xmm0
    add edi, \own + \copied + 3
    next
    .endif
    .endm

    next
    .irp own, 0, 1, 2, 3, 4, 5, 6
    .irp copied, 0, 1, 2, 3, 4, 5, 6, 7
    .irp bytes, 0, 1, 2, 3
    step \own, \copied, \bytes
    .endr
    .endr
    .endr

# The token says that further bytes give the number of its own.
own_more:
    mov edx, eax                # the token
    inc esi
    xor ecx, ecx
2:  movzx eax, byte ptr [esi]
    inc esi
    add ecx, eax
    cmp eax, 255
    je 2b
3:  movups xmm0, [esi]          # what is left of the stream is always above what is written
    movups [edi], xmm0
    sub ecx, 16
    jbe 4f
    add esi, 16
    add edi, 16
    jmp 3b
4:  lea esi, [esi + ecx + 16]
    lea edi, [edi + ecx + 16]
    cmp edi, [ebp + TO_END]
    je all
    mov ecx, edx
    and ecx, 3
    jz 6f
    cmp ecx, 2
    ja 5f
    distance 2, 0
    je 7f
    distance 1, 0
    jmp 7f
5:  distance 3, 0
7:  add esi, ecx
6:  shr edx, 2
    and edx, 7
    cmp edx, 7
    je many
    mov eax, edi
    sub eax, ebx
    movups xmm0, [eax - 1]
    movups [edi], xmm0
    lea edi, [edi + edx + 3]
    next

# 10 and more bytes, by further bytes.
many:
    mov eax, 10
5:  movzx edx, byte ptr [esi]
    inc esi
    add eax, edx
    cmp edx, 255
    je 5b
    lea edx, [edi - 1]
    sub edx, ebx
    lea ecx, [ebx + 1]
    cmp ecx, 16
    jae 6f
    # Fewer than 16 bytes away: copied so many at a time, the distance to what was first doubles.
8:  movups xmm0, [edx]
    movups [edi], xmm0
    add edi, ecx
    sub eax, ecx
    jbe 7f
    add ecx, ecx
    cmp ecx, 16
    jb 8b
6:  mov ecx, 16
9:  movups xmm0, [edx]
    movups [edi], xmm0
    add edi, ecx
    sub eax, ecx
    jbe 7f
    add edx, ecx
    jmp 9b
7:  add edi, eax                # what was too much is below zero
    next

all:
    mov eax, [ebp + KEPT + 8]
    mov cr4, eax
    mov eax, [ebp + KEPT + 4]
    mov cr0, eax
    mov ebx, [ebp + KEPT]
    mov eax, [ebp + KEPT + 12]
    mov edx, [ebp + KEPT + 16]
    mov ecx, [ebp + ENTRY]
    jmp ecx

    # In the order of the tokens; each step has put its line here.
    .section .text.steps, "awx"
    .rept 32
    .long own_more
    .endr
