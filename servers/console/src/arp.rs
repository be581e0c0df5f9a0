//! ARP over Ethernet for IPv4 (RFC 826): the request, and a checked reading of the answer.

/// Bytes of Ethernet header and ARP packet.
pub const LENGTH: usize = 42;
const BROADCAST: [u8; 6] = [0xff; 6];
const ETHERTYPE: [u8; 2] = [0x08, 0x06];
/// Hardware Ethernet, protocol IPv4, address lengths 6 and 4.
const KIND: [u8; 6] = [0, 1, 8, 0, 6, 4];
const REQUEST: u8 = 1;
const REPLY: u8 = 2;

/// "Who has `wanted`? Tell `address`, who is `station`", to everyone.
pub fn request(station: [u8; 6], address: [u8; 4], wanted: [u8; 4]) -> [u8; LENGTH] {
    let mut frame = [0; LENGTH];
    let parts: [&[u8]; 9] = [
        &BROADCAST,
        &station,
        &ETHERTYPE,
        &KIND,
        &[0, REQUEST],
        &station,
        &address,
        &[0; 6],
        &wanted,
    ];
    let bytes = parts.into_iter().flatten();
    for (to, byte) in frame.iter_mut().zip(bytes) {
        *to = *byte;
    }
    frame
}

/// An ARP packet in a frame of the right shape; whatever follows it is padding.
#[derive(Clone, Copy, Debug)]
pub struct Packet<'a>(&'a [u8; LENGTH]);

impl<'a> Packet<'a> {
    pub fn read(frame: &'a [u8]) -> Option<Packet<'a>> {
        let bytes: &[u8; LENGTH] = frame.first_chunk()?;
        let right = bytes[12..14] == ETHERTYPE && bytes[14..20] == KIND;
        right.then_some(Packet(bytes))
    }

    fn at<const N: usize>(&self, from: usize) -> [u8; N] {
        core::array::from_fn(|n| self.0[from + n])
    }

    pub fn sender(&self) -> [u8; 6] {
        self.at(22)
    }

    pub fn sender_address(&self) -> [u8; 4] {
        self.at(28)
    }

    pub fn target_address(&self) -> [u8; 4] {
        self.at(38)
    }

    /// Whether it answers the question of `address` for `wanted`.
    pub fn answers(&self, address: [u8; 4], wanted: [u8; 4]) -> bool {
        self.at(20) == [0, REPLY]
            && self.sender_address() == wanted
            && self.target_address() == address
    }
}

/// An address as people write it.
pub struct Dotted(pub [u8; 4]);

impl core::fmt::Display for Dotted {
    fn fmt(&self, f: &mut core::fmt::Formatter) -> core::fmt::Result {
        let [a, b, c, d] = self.0;
        write!(f, "{a}.{b}.{c}.{d}")
    }
}

/// A station as people write it.
pub struct Station(pub [u8; 6]);

impl core::fmt::Display for Station {
    fn fmt(&self, f: &mut core::fmt::Formatter) -> core::fmt::Result {
        let [a, b, c, d, e, g] = self.0;
        write!(f, "{a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{g:02x}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const US: [u8; 6] = [0x52, 0x54, 0x00, 0x12, 0x34, 0x56];
    const HERE: [u8; 4] = [10, 0, 2, 15];
    const THERE: [u8; 4] = [10, 0, 2, 2];
    /// Captured from QEMU's user network: its answer, padded to a whole frame.
    const ANSWER: [u8; 64] = {
        let mut frame = [0; 64];
        let bytes = *b"\x52\x54\x00\x12\x34\x56\x52\x55\x0a\x00\x02\x02\x08\x06\x00\x01\x08\x00\x06\x04\x00\x02\
            \x52\x55\x0a\x00\x02\x02\x0a\x00\x02\x02\x52\x54\x00\x12\x34\x56\x0a\x00\x02\x0f";
        let mut at = 0;
        while at < bytes.len() {
            frame[at] = bytes[at];
            at += 1;
        }
        frame
    };

    #[test]
    fn the_request_is_word_for_word_that_of_the_standard() {
        assert_eq!(
            request(US, HERE, THERE),
            *b"\xff\xff\xff\xff\xff\xff\x52\x54\x00\x12\x34\x56\x08\x06\x00\x01\x08\x00\x06\x04\x00\x01\
              \x52\x54\x00\x12\x34\x56\x0a\x00\x02\x0f\x00\x00\x00\x00\x00\x00\x0a\x00\x02\x02"
        );
    }

    #[test]
    fn the_answer_is_understood() {
        let packet = Packet::read(&ANSWER).expect("ARP");
        assert!(packet.answers(HERE, THERE));
        assert!(!packet.answers(HERE, HERE) && !packet.answers(THERE, THERE));
        let text = format!("{} is at {}", Dotted(THERE), Station(packet.sender()));
        assert_eq!(text, "10.0.2.2 is at 52:55:0a:00:02:02");
    }

    #[test]
    fn a_question_is_no_answer_and_other_frames_are_not_arp() {
        let question = request(US, THERE, HERE);
        assert!(!Packet::read(&question).expect("ARP").answers(HERE, THERE));
        for length in 0..LENGTH {
            assert!(Packet::read(&ANSWER[..length]).is_none());
        }
        for byte in 12..20 {
            let mut other = ANSWER;
            other[byte] ^= 1;
            assert!(Packet::read(&other).is_none(), "byte {byte}");
        }
    }
}
