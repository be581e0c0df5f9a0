//! The C text that comes before the C view of an entry: the context (`abi::context`) and small inline functions.

use alloc::{format, string::String};

/// The header of every C view.
pub fn c_prelude() -> String {
    let mut text = String::from(HEAD);
    for bits in [8, 16, 32, 64] {
        text += &accesses(bits);
    }
    text + REST
}

fn accesses(bits: u32) -> String {
    let space = |name: &str, how: &str| {
        format!(
            "static inline uint64_t load{bits}{name}(uint8_t *base, uint64_t at)\n\
             {{ return *({how}u{bits} *)(base + at); }}\n\
             static inline void store{bits}{name}(uint8_t *base, uint64_t at, uint64_t value)\n\
             {{ *({how}u{bits} *)(base + at) = (u{bits})value; }}\n"
        )
    };
    let types = match bits {
        8 => "typedef uint8_t u8;\n".into(),
        _ => format!("typedef uint{bits}_t u{bits} __attribute__((may_alias, aligned(1)));\n"),
    };
    let device = format!(
        "static inline uint64_t read{bits}(struct context *ctx, int window, uint64_t at)\n\
         {{ return load{bits}((uint8_t *)ctx->windows[window], at); }}\n\
         static inline void write{bits}(struct context *ctx, int window, uint64_t at, uint64_t value)\n\
         {{ store{bits}((uint8_t *)ctx->windows[window], at, value); }}\n"
    );
    let swap = match bits {
        8 => "static inline uint64_t swap8(uint64_t v) { return v & 0xff; }\n".into(),
        _ => format!(
            "static inline uint64_t swap{bits}(uint64_t v) {{ return __builtin_bswap{bits}((uint{bits}_t)v); }}\n"
        ),
    };
    format!(
        "{types}{}{}{device}{swap}",
        space("", "volatile "),
        space("_plain", "")
    )
}

const HEAD: &str = r"#include <stdint.h>

struct context {
    uint8_t *state;
    uint8_t *arena;
    uint64_t arena_dma;
    uint8_t *pool;
    uint64_t pool_dma;
    uint64_t pool_size;
    uint64_t (*clock)(struct context *);
    void (*pause)(struct context *, uint64_t ns);
    uint64_t (*const *upcalls)(struct context *, uint64_t, uint64_t, uint64_t, uint64_t);
    uint64_t results[4];
    uint64_t windows[12];
    uint64_t lane;
};

/* Plain accesses to what only the driver sees, volatile ones to what a device sees. */
";

const REST: &str = r#"
static inline uint64_t up(struct context *ctx, int which, uint64_t a, uint64_t b, uint64_t c, uint64_t d)
{ return ctx->upcalls[which](ctx, a, b, c, d); }

/* A wait tests first, then looks at the clock, and tests once more when the time is over. */
struct wait { uint64_t began; int looks; };
static inline int wait_over(struct context *ctx, struct wait *w, uint64_t ns)
{
    uint64_t now;
    if (w->looks == 2)
        return 1;
    now = ctx->clock(ctx);
    if (w->looks == 0)
        w->began = now;
    w->looks = now - w->began >= ns ? 2 : 1;
    return 0;
}

static inline uint64_t divide(uint64_t a, uint64_t b) { return b ? a / b : 0; }
static inline uint64_t modulo(uint64_t a, uint64_t b) { return b ? a % b : 0; }
static inline uint64_t shift_left(uint64_t a, uint64_t n) { return n < 64 ? a << n : 0; }
static inline uint64_t shift_right(uint64_t a, uint64_t n) { return n < 64 ? a >> n : 0; }
static inline uint64_t min(uint64_t a, uint64_t b) { return a < b ? a : b; }
static inline uint64_t max(uint64_t a, uint64_t b) { return a > b ? a : b; }
static inline uint64_t put_bits(uint64_t into, int lo, int bits, uint64_t value)
{
    const uint64_t mask = (UINT64_MAX >> (64 - bits)) << lo;
    return (into & ~mask) | ((value << lo) & mask);
}
static inline uint64_t lowest_bit(uint64_t v) { return v ? (uint64_t)__builtin_ctzll(v) : 64; }
static inline uint64_t count_ones(uint64_t v) { return (uint64_t)__builtin_popcountll(v); }

#if defined(__x86_64__)
static inline void publish(void) { __asm__ volatile("" ::: "memory"); }
static inline void acquire(void) { __asm__ volatile("" ::: "memory"); }
static inline void full_fence(void) { __asm__ volatile("mfence" ::: "memory"); }
#define PORT(bits, letter, reg) \
    static inline uint64_t port_read##bits(struct context *ctx, int window, uint64_t at) \
    { uint##bits##_t v; __asm__ volatile("in" letter " %%dx, %%" reg : "=a"(v) \
        : "d"((uint16_t)(ctx->windows[window] + at))); return v; } \
    static inline void port_write##bits(struct context *ctx, int window, uint64_t at, uint64_t v) \
    { __asm__ volatile("out" letter " %%" reg ", %%dx" :: "a"((uint##bits##_t)v), \
        "d"((uint16_t)(ctx->windows[window] + at))); }
PORT(8, "b", "al")
PORT(16, "w", "ax")
PORT(32, "l", "eax")
static inline uint64_t model_read64(struct context *ctx, int window, uint64_t number)
{
    uint32_t lo, hi;
    (void)ctx; (void)window;
    __asm__ volatile("rdmsr" : "=a"(lo), "=d"(hi) : "c"((uint32_t)number));
    return (uint64_t)hi << 32 | lo;
}
static inline void model_write64(struct context *ctx, int window, uint64_t number, uint64_t v)
{
    (void)ctx; (void)window;
    __asm__ volatile("wrmsr" :: "c"((uint32_t)number), "a"((uint32_t)v), "d"((uint32_t)(v >> 32)));
}
#elif defined(__aarch64__)
static inline void publish(void) { __asm__ volatile("dmb oshst" ::: "memory"); }
static inline void acquire(void) { __asm__ volatile("dmb oshld" ::: "memory"); }
static inline void full_fence(void) { __asm__ volatile("dmb osh" ::: "memory"); }
#endif

/* System registers and firmware calls are numbers in instructions: a function for each, elsewhere. */
uint64_t system_read64(struct context *ctx, int window, uint64_t number);
void system_write64(struct context *ctx, int window, uint64_t number, uint64_t v);
uint64_t hvc(uint64_t function, uint64_t a, uint64_t b, uint64_t c);
uint64_t smc(uint64_t function, uint64_t a, uint64_t b, uint64_t c);
"#;
