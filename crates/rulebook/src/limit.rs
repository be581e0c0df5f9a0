//! A deserializer around another one that refuses to nest too deep, so that hostile bytes cannot overflow the
//! stack, and that watches the highest [`crate::tree::Name`] it meets.

use core::{cell::Cell, fmt};
use serde::de::{
    DeserializeSeed, Deserializer, EnumAccess, Error, MapAccess, SeqAccess, VariantAccess, Visitor,
};

/// What is watched while reading.
#[derive(Default)]
pub struct Watch {
    /// One more than the highest name seen.
    pub names: Cell<u32>,
}

/// Wraps deserializers, visitors, seeds and accesses alike.
pub struct Limited<'w, T> {
    inner: T,
    /// Levels that may still be opened.
    left: u32,
    /// Whether the number read next is a name.
    name: bool,
    watch: &'w Watch,
}

impl<'w, T> Limited<'w, T> {
    pub fn new(inner: T, left: u32, watch: &'w Watch) -> Self {
        Limited {
            inner,
            left,
            name: false,
            watch,
        }
    }
    fn around<U>(&self, inner: U) -> Limited<'w, U> {
        Limited {
            inner,
            left: self.left,
            name: self.name,
            watch: self.watch,
        }
    }
}

macro_rules! pass {
    ($($method:ident ( $($argument:ident : $kind:ty),* );)*) => {
        $(fn $method<V: Visitor<'de>>(self, $($argument: $kind,)* visitor: V) -> Result<V::Value, D::Error> {
            let visitor = self.around(visitor);
            self.inner.$method($($argument,)* visitor)
        })*
    };
}

impl<'de, D: Deserializer<'de>> Deserializer<'de> for Limited<'_, D> {
    type Error = D::Error;
    pass! {
        deserialize_any(); deserialize_bool(); deserialize_i8(); deserialize_i16(); deserialize_i32();
        deserialize_i64(); deserialize_u8(); deserialize_u16(); deserialize_u32(); deserialize_u64();
        deserialize_f32(); deserialize_f64(); deserialize_char(); deserialize_str(); deserialize_string();
        deserialize_bytes(); deserialize_byte_buf(); deserialize_option(); deserialize_unit();
        deserialize_unit_struct(name: &'static str);
        deserialize_seq(); deserialize_tuple(length: usize);
        deserialize_tuple_struct(name: &'static str, length: usize);
        deserialize_map(); deserialize_struct(name: &'static str, fields: &'static [&'static str]);
        deserialize_enum(name: &'static str, variants: &'static [&'static str]);
        deserialize_identifier(); deserialize_ignored_any();
    }
    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        visitor: V,
    ) -> Result<V::Value, D::Error> {
        let mut visitor = self.around(visitor);
        visitor.name = name == "Name";
        self.inner.deserialize_newtype_struct(name, visitor)
    }
    fn is_human_readable(&self) -> bool {
        self.inner.is_human_readable()
    }
}

macro_rules! plain {
    ($($method:ident ( $kind:ty );)*) => {
        $(fn $method<E: Error>(self, value: $kind) -> Result<V::Value, E> { self.inner.$method(value) })*
    };
}

impl<'de, V: Visitor<'de>> Visitor<'de> for Limited<'_, V> {
    type Value = V::Value;
    fn expecting(&self, out: &mut fmt::Formatter) -> fmt::Result {
        self.inner.expecting(out)
    }
    plain! {
        visit_bool(bool); visit_i64(i64); visit_u8(u8); visit_u32(u32); visit_u64(u64); visit_str(&str);
        visit_borrowed_str(&'de str); visit_bytes(&[u8]); visit_borrowed_bytes(&'de [u8]); visit_char(char);
    }
    fn visit_u16<E: Error>(self, value: u16) -> Result<V::Value, E> {
        if self.name {
            let names = &self.watch.names;
            names.set(names.get().max(u32::from(value) + 1));
        }
        self.inner.visit_u16(value)
    }
    fn visit_none<E: Error>(self) -> Result<V::Value, E> {
        self.inner.visit_none()
    }
    fn visit_unit<E: Error>(self) -> Result<V::Value, E> {
        self.inner.visit_unit()
    }
    fn visit_some<D: Deserializer<'de>>(self, inner: D) -> Result<V::Value, D::Error> {
        let inner = self.around(inner);
        self.inner.visit_some(inner)
    }
    fn visit_newtype_struct<D: Deserializer<'de>>(self, inner: D) -> Result<V::Value, D::Error> {
        let inner = self.around(inner);
        self.inner.visit_newtype_struct(inner)
    }
    fn visit_seq<A: SeqAccess<'de>>(self, inner: A) -> Result<V::Value, A::Error> {
        let inner = self.around(inner);
        self.inner.visit_seq(inner)
    }
    fn visit_map<A: MapAccess<'de>>(self, inner: A) -> Result<V::Value, A::Error> {
        let inner = self.around(inner);
        self.inner.visit_map(inner)
    }
    fn visit_enum<A: EnumAccess<'de>>(self, inner: A) -> Result<V::Value, A::Error> {
        let inner = self.around(inner);
        self.inner.visit_enum(inner)
    }
}

impl<'de, S: DeserializeSeed<'de>> DeserializeSeed<'de> for Limited<'_, S> {
    type Value = S::Value;
    fn deserialize<D: Deserializer<'de>>(self, inner: D) -> Result<S::Value, D::Error> {
        let Some(left) = self.left.checked_sub(1) else {
            return Err(D::Error::custom("nested too deep"));
        };
        self.inner.deserialize(Limited {
            inner,
            left,
            name: false,
            watch: self.watch,
        })
    }
}

impl<'de, A: SeqAccess<'de>> SeqAccess<'de> for Limited<'_, A> {
    type Error = A::Error;
    fn next_element_seed<S: DeserializeSeed<'de>>(
        &mut self,
        seed: S,
    ) -> Result<Option<S::Value>, A::Error> {
        let seed = self.around(seed);
        self.inner.next_element_seed(seed)
    }
    fn size_hint(&self) -> Option<usize> {
        self.inner.size_hint()
    }
}

impl<'de, A: MapAccess<'de>> MapAccess<'de> for Limited<'_, A> {
    type Error = A::Error;
    fn next_key_seed<S: DeserializeSeed<'de>>(
        &mut self,
        seed: S,
    ) -> Result<Option<S::Value>, A::Error> {
        let seed = self.around(seed);
        self.inner.next_key_seed(seed)
    }
    fn next_value_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value, A::Error> {
        let seed = self.around(seed);
        self.inner.next_value_seed(seed)
    }
}

impl<'de, 'w, A: EnumAccess<'de>> EnumAccess<'de> for Limited<'w, A> {
    type Error = A::Error;
    type Variant = Limited<'w, A::Variant>;
    fn variant_seed<S: DeserializeSeed<'de>>(
        self,
        seed: S,
    ) -> Result<(S::Value, Self::Variant), A::Error> {
        let Limited {
            inner, left, watch, ..
        } = self;
        let (value, variant) = inner.variant_seed(seed)?;
        Ok((value, Limited::new(variant, left, watch)))
    }
}

impl<'de, A: VariantAccess<'de>> VariantAccess<'de> for Limited<'_, A> {
    type Error = A::Error;
    fn unit_variant(self) -> Result<(), A::Error> {
        self.inner.unit_variant()
    }
    fn newtype_variant_seed<S: DeserializeSeed<'de>>(self, seed: S) -> Result<S::Value, A::Error> {
        let seed = self.around(seed);
        self.inner.newtype_variant_seed(seed)
    }
    fn tuple_variant<V: Visitor<'de>>(
        self,
        length: usize,
        visitor: V,
    ) -> Result<V::Value, A::Error> {
        let visitor = self.around(visitor);
        self.inner.tuple_variant(length, visitor)
    }
    fn struct_variant<V: Visitor<'de>>(
        self,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, A::Error> {
        let visitor = self.around(visitor);
        self.inner.struct_variant(fields, visitor)
    }
}
