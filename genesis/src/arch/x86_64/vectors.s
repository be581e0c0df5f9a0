# Exceptions and interrupts: each stub leaves (error code, vector) on the stack and goes to the common part.
    .section .text.vectors, "ax"
    .global vector_stubs
    .balign 16
vector_stubs:
    .set vector, 0
    .rept 256
    .balign 16
    .if vector == 8 || (vector >= 10 && vector <= 14) || vector == 17 || vector == 21 || vector == 29 || vector == 30
    .else
    push 0
    .endif
    push vector
    jmp vector_common
    .set vector, vector + 1
    .endr

vector_common:
    push rax
    push rcx
    push rdx
    push rbx
    push rbp
    push rsi
    push rdi
    push r8
    push r9
    push r10
    push r11
    push r12
    push r13
    push r14
    push r15
    mov rdi, rsp
    mov rbp, rsp
    and rsp, -16
    call exception
    mov rsp, rbp
    pop r15
    pop r14
    pop r13
    pop r12
    pop r11
    pop r10
    pop r9
    pop r8
    pop rdi
    pop rsi
    pop rbp
    pop rbx
    pop rdx
    pop rcx
    pop rax
    add rsp, 16
    iretq

# Accesses that may fault. rdi = address or register number, rsi = value; rax = value, rdx = 1 after a fault.
# An exception between `probe_first` and `probe_last` continues at `probe_failed`.
    .global probe_first, probe_last, probe_failed
    .global probe_read_8, probe_read_16, probe_read_32, probe_read_64
    .global probe_write_8, probe_write_16, probe_write_32, probe_write_64
    .global probe_model_read, probe_model_write
probe_first:
probe_read_8:
    movzx eax, byte ptr [rdi]
    xor edx, edx
    ret
probe_read_16:
    movzx eax, word ptr [rdi]
    xor edx, edx
    ret
probe_read_32:
    mov eax, dword ptr [rdi]
    xor edx, edx
    ret
probe_read_64:
    mov rax, qword ptr [rdi]
    xor edx, edx
    ret
probe_write_8:
    mov byte ptr [rdi], sil
    xor edx, edx
    ret
probe_write_16:
    mov word ptr [rdi], si
    xor edx, edx
    ret
probe_write_32:
    mov dword ptr [rdi], esi
    xor edx, edx
    ret
probe_write_64:
    mov qword ptr [rdi], rsi
    xor edx, edx
    ret
probe_model_read:
    mov ecx, edi
    rdmsr
    shl rdx, 32
    or rax, rdx
    xor edx, edx
    ret
probe_model_write:
    mov ecx, edi
    mov eax, esi
    mov rdx, rsi
    shr rdx, 32
    wrmsr
    xor edx, edx
    ret
probe_last:
probe_failed:
    mov edx, 1
    ret
