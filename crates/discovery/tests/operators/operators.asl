// One device for each kind of term: it is there when the term does what the specification says. Compiled by ACPICA's iasl;
// ACPICA's acpiexec lists the same devices (see ../operators.rs).
DefinitionBlock ("", "DSDT", 2, "META", "OPERATOR", 1)
{
    Scope (\_SB)
    {
        Name (BASE, 0xFED0)
        Name (OBJ1, 0)
        Noop
        Store (7, OBJ1)
        OperationRegion (COMP, SystemMemory, Add (ShiftLeft (BASE, 16), 0x40), Subtract (0x20, 0x10))
        Field (COMP, DWordAcc, NoLock, Preserve) { COM1, 4, COM2, 28 }
        Name (BUFA, Buffer (8) { 0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77, 0x88 })
        CreateField (BUFA, 4, 8, BITS)
        CreateWordField (BUFA, 2, WRDA)
        Store (0, COM1)

        Method (YES, 1) { If (Arg0) { Return (0x0F) } Return (0) }
        Device (T001) { Name (_HID, "META0001") Method (_STA) { Return (\_SB.YES (LEqual (OBJ1, 7))) } }
        Device (T002) { Name (_HID, "META0002") Method (_STA) { Return (YES (LAnd (LEqual (ToInteger (BITS), 0x21), LEqual (ObjectType (BITS), 14)))) } }
        Device (T003) { Name (_HID, "META0003") Method (_STA) { Store (0xBEEF, WRDA) Return (YES (LEqual (DerefOf (Index (BUFA, 3)), 0xBE))) } }
        Device (T004) { Name (_HID, "META0004") Method (_STA) { Return (YES (LEqual (Match (Package () { 1, 5, 9, 12 }, MGT, 4, MLT, 12, 2), 2))) } }
        Device (T005) { Name (_HID, "META0005") Method (_STA) { Return (YES (LEqual (Concatenate ("AB", "CD"), "ABCD"))) } }
        Device (T006) { Name (_HID, "META0006") Method (_STA) { Return (YES (LEqual (Mid ("ABCDEF", 2, 3), "CDE"))) } }
        Device (T007) { Name (_HID, "META0007") Method (_STA) { Return (YES (LEqual (ToDecimalString (1234), "1234"))) } }
        Device (T008) { Name (_HID, "META0008") Method (_STA) { Return (YES (LEqual (ToInteger ("0x1F"), 31))) } }
        Device (T009) { Name (_HID, "META0009") Method (_STA) { Return (YES (LEqual (ToString (Buffer () { 0x41, 0x42, 0, 0x43 }), "AB"))) } }
        Device (T010) { Name (_HID, "META0010") Method (_STA) { Local0 = ToBuffer ("abc") Return (YES (SizeOf (Local0) == 4)) } }
        // A shadow of registers: what was written is read, the bits beside it stay.
        OperationRegion (PORT, SystemIO, 0xB1, 4)
        Field (PORT, ByteAcc, NoLock, Preserve) { PRT1, 8, PRT2, 3, PRT3, 5 }
        Device (T011) { Name (_HID, "META0011") Method (_STA) { Store (0x5A, PRT1) Store (5, PRT2) Store (9, PRT3) Return (YES (LAnd (LEqual (PRT1, 0x5A), LAnd (LEqual (PRT2, 5), LEqual (PRT3, 9))))) } }
        // A region at a local.
        Device (T012)
        {
            Name (_HID, "META0012")
            Method (READ, 1, Serialized)
            {
                Local0 = Arg0 + 2
                OperationRegion (LOCR, SystemIO, Local0, 1)
                Field (LOCR, ByteAcc, NoLock, Preserve) { LOCF, 8 }
                Store (0x33, LOCF)
                Return (LOCF)
            }
            Method (_STA) { Return (YES (LEqual (READ (0xC2), 0x33))) }
        }
        // Loops, and what ends them.
        Device (T013) { Name (_HID, "META0013") Method (_STA) { Local0 = 0 Local1 = 0 While (One) { Local0++ If (Local0 == 3) { Continue } Local1 += Local0 If (Local0 == 5) { Break } } Return (YES (Local1 == 12)) } }
        // Buffers are shared with who gets them as an argument, and copied by a store.
        Device (T014) { Name (_HID, "META0014") Name (BUFB, Buffer (2) { 1, 2 }) Method (POKE, 1) { Store (9, Index (Arg0, 1)) } Method (_STA) { Store (2, BUFB [1]) Local0 = BUFB POKE (BUFB) Return (YES ((DerefOf (BUFB [1]) == 9) && (DerefOf (Local0 [1]) == 2))) } }
        Device (T015) { Name (_HID, "META0015") Method (_STA) { Return (YES (CondRefOf (\_OSI, Local0) && (_OSI ("Windows 2009") != 0))) } }
        Device (T016) { Name (_HID, "META0016") Method (_STA) { Return (YES (LNot (CondRefOf (\_SB.NONE, Local0)))) } }
        Device (T017) { Name (_HID, "META0017") Method (_STA) { Return (YES ((ObjectType (BUFA) == 3) && (ObjectType (T001) == 6) && (ObjectType (COM1) == 5))) } }
        Device (T018) { Name (_HID, "META0018") Method (_STA) { Return (YES ((FromBCD (0x1234) == 1234) && (ToBCD (1234) == 0x1234))) } }
        Device (T019) { Name (_HID, "META0019") Method (_STA) { Divide (17, 5, Local0, Local1) Return (YES ((Local0 == 2) && (Local1 == 3))) } }
        Device (T020) { Name (_HID, "META0020") Method (_STA) { Return (YES ((FindSetLeftBit (0x50) == 7) && (FindSetRightBit (0x50) == 5))) } }
        Name (NUM1, 5)
        Device (T021) { Name (_HID, "META0021") Method (_STA) { Store ("0C", NUM1) Return (YES (NUM1 == 12)) } }
        Device (T022) { Name (_HID, "META0022") Method (SET, 1) { Store (77, Arg0) } Name (NUM2, 0) Method (_STA) { SET (RefOf (NUM2)) Return (YES (NUM2 == 77)) } }
        Name (ANUM, 3)
        Device (T023) { Name (_HID, "META0023") Name (PACK, Package () { ANUM, 2 }) Method (_STA) { Return (YES (DerefOf (Index (PACK, 0)) == 3)) } }
        // Declarations that a condition outside of methods decides on.
        If (OBJ1 == 7) { Device (T024) { Name (_HID, "META0024") } } Else { Device (X024) { Name (_HID, "META1024") } }
        If (\_SB.NUM1 == 99) { Device (X025) { Name (_HID, "META1025") } } Else { Device (T025) { Name (_HID, "META0025") } }
        // A name twice: the first stays, and what follows is not lost.
        Name (BASE, 1)
        Device (T026) { Name (_HID, "META0026") Method (_STA) { Return (YES (BASE == 0xFED0)) } }
        Scope (\_SB.LATE) { Device (X027) { Name (_HID, "META1027") } }
        // Indexed and banked registers.
        OperationRegion (INDR, SystemIO, 0x2E0, 2)
        Field (INDR, ByteAcc, NoLock, Preserve) { INDX, 8, DATA, 8 }
        IndexField (INDX, DATA, ByteAcc, NoLock, Preserve) { Offset (0x30), IDX1, 8 }
        Field (INDR, ByteAcc, NoLock, Preserve) { BNKS, 8 }
        BankField (PORT, BNKS, 2, ByteAcc, NoLock, Preserve) { Offset (3), BNK1, 8 }
        Device (T028) { Name (_HID, "META0028") }
        // A template from two.
        Device (T029)
        {
            Name (_HID, "META0029")
            Name (RESA, ResourceTemplate () { IO (Decode16, 0x0A00, 0x0A00, 0, 8) })
            Name (RESB, ResourceTemplate () { IRQNoFlags () { 7 } })
            Method (_CRS) { Return (ConcatenateResTemplate (RESA, RESB)) }
        }
        // Fields of more than an integer.
        Field (COMP, ByteAcc, NoLock, Preserve) { Offset (4), WIDE, 80 }
        Device (T030) { Name (_HID, "META0030") Method (_STA) { Store (Buffer (10) { 1, 2, 3, 4, 5, 6, 7, 8, 9, 10 }, WIDE) Local0 = WIDE Return (YES ((SizeOf (Local0) == 10) && (DerefOf (Local0 [9]) == 10))) } }
        // The embedded controller: absent, and the neighbours stay.
        Device (EC00)
        {
            Name (_HID, EisaId ("PNP0C09"))
            OperationRegion (ECOR, EmbeddedControl, 0, 0x10)
            Field (ECOR, ByteAcc, NoLock, Preserve) { ECF1, 8 }
            Name (ECAV, 0)
            Method (_REG, 2) { If (Arg0 == 3) { Store (Arg1, ECAV) } }
            Device (T031) { Name (_HID, "META0031") Method (_STA) { If (ECAV) { Return (ECF1) } Return (0x0F) } }
        }
        // Names that a method makes are gone when it ends, wherever it puts them.
        Method (MAKE) { Name (\_SB.MADE, 1) Store (2, \_SB.MADE) Return (1) }
        Device (T032) { Name (_HID, "META0032") Method (_STA) { Local0 = MAKE () Local0 += MAKE () Return (YES ((Local0 == 2) && !CondRefOf (\_SB.MADE))) } }
        Device (LATE) { Name (_HID, "META0027") }
        Device (T033) { Name (_HID, "*meta0033") }
        Device (T034) { Name (_HID, "META0034") Method (_STA) { Return (YES (LEqual (Concatenate (0x41, 0x42), Buffer () { 0x41, 0, 0, 0, 0, 0, 0, 0, 0x42, 0, 0, 0, 0, 0, 0, 0 }))) } }
        // What firmware sets up for itself is asked for afterwards.
        Device (T035) { Name (_HID, "META0035") Method (_STA) { Return (YES (\_SB.ASKS)) } }
        Name (ASKS, 0)
        Method (_INI) { Store (1, ASKS) }
    }
}
