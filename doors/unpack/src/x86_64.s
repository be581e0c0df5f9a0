# The door of a packed x86-64 image: 32-bit protected mode, flat segments, paging off, ebx = start information (PVH). It
# unpacks genesis to where genesis is linked, over its own stream, and enters it as a loader would, with the time that it
# was entered itself. The format of the stream is that of crates/compress.
#
# The packer puts its own address into the first instruction, and the four words behind it.
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
masks:    .long 0, 0xff, 0xffff, 0xffffff
kept:     .long 0, 0, 0, 0, 0   # start information, CR0, CR4, counter

    .equ FROM, from - door
    .equ TO_END, to_end - door
    .equ ENTRY, entry - door
    .equ MASKS, masks - door
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
    mov esi, [ebp + FROM]
    mov edi, [ebp + FROM + 4]
    mov ebx, 1                  # the distance

next:
    movzx eax, byte ptr [esi]
    inc esi
    mov ecx, eax
    shr ecx, 5
    cmp ecx, 7
    je own_more
    movups xmm0, [esi]          # more than is asked for: what follows is written over
    movups [edi], xmm0
    add esi, ecx
    add edi, ecx
owned:
    mov edx, eax
    and edx, 3
    jz same
    mov ebx, [esi]
    and ebx, [ebp + edx * 4 + MASKS]
    add esi, edx
    inc ebx
copy:
    shr eax, 2
    and eax, 7
    cmp eax, 7
    je copied_more
    mov edx, edi
    sub edx, ebx
    cmp ebx, 16
    jb repeats
    movups xmm0, [edx]          # at most 9 of the 16
    movups [edi], xmm0
    lea edi, [edi + eax + 3]
    jmp next

same:
    cmp edi, [ebp + TO_END]
    jne copy
    mov eax, [ebp + KEPT + 8]
    mov cr4, eax
    mov eax, [ebp + KEPT + 4]
    mov cr0, eax
    mov ebx, [ebp + KEPT]
    mov eax, [ebp + KEPT + 12]
    mov edx, [ebp + KEPT + 16]
    mov ecx, [ebp + ENTRY]
    jmp ecx

# ecx = 7 and more of its own: what is left of the stream is always above what is written.
own_more:
2:  movzx edx, byte ptr [esi]
    inc esi
    add ecx, edx
    cmp edx, 255
    je 2b
3:  movups xmm0, [esi]
    movups [edi], xmm0
    sub ecx, 16
    jbe 4f
    add esi, 16
    add edi, 16
    jmp 3b
4:  lea esi, [esi + ecx + 16]
    lea edi, [edi + ecx + 16]
    jmp owned

copied_more:
5:  movzx edx, byte ptr [esi]
    inc esi
    add eax, edx
    cmp edx, 255
    je 5b
    mov edx, edi
    sub edx, ebx
    cmp ebx, 16
    jb repeats
    add eax, 3
6:  movups xmm0, [edx]
    movups [edi], xmm0
    sub eax, 16
    jbe 7f
    add edx, 16
    add edi, 16
    jmp 6b
7:  lea edi, [edi + eax + 16]
    jmp next

# Fewer than 16 bytes away: byte by byte.
repeats:
    lea ecx, [eax + 3]
    mov eax, esi
    mov esi, edx
    rep movsb
    mov esi, eax
    jmp next
