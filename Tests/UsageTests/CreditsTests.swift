import Testing
import Usage

@Suite struct `An amount of credits` {
    @Test(arguments: [
        (0, "0.00"), (1, "0.01"), (99, "0.99"), (100, "1.00"), (170, "1.70"), (1560, "15.60"),
        (5000, "50.00"), (-5, "-0.05"), (-1560, "-15.60"),
        (Int64.max, "92233720368547758.07"), (Int64.min, "-92233720368547758.08"),
    ])
    func `is written with exactly two decimals`(hundredths: Int64, text: String) {
        #expect(Credits(hundredths: hundredths).description == text)
    }

    @Test(arguments: [
        (Int128(Int64.max) * 100, "9223372036854775807.00"),
        (Int128(Int64.min) * 100 - 5, "-9223372036854775808.05"), (-5, "-0.05"),
    ])
    func `is written so as a sum beyond 64 bits, too`(hundredths: Int128, text: String) {
        #expect(Credits.text(hundredths: hundredths) == text)
    }

    @Test(arguments: [
        ("0", 0), ("15.6", 1560), ("15.60", 1560), ("1.7", 170), ("-2.50", -250), ("-0.5", -50),
        ("-0.05", -5),
        ("999999999999999.99", 99_999_999_999_999_999),
    ])
    func `is read from a decimal number`(text: String, hundredths: Int64) {
        #expect(Credits(text)?.hundredths == hundredths)
    }

    @Test(arguments: [
        "", ".", "1.", ".5", "1.234", "1e2", "+1", "--1", "1,5", " 1", "NaN", "1.5.0", "٣",
    ])
    func `refuses anything else`(text: String) {
        #expect(Credits(text) == nil)
    }
}
