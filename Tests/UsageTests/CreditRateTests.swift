import Testing
import Usage

@Suite struct `A price of tokens` {
    @Test(arguments: [
        ("40", 100, 40_000_000, "400000.00", "40.00"), ("0.0015", 100, 1500, "15.00", "0.0015"),
        ("0.000001", 100, 1, "0.01", "0.000001"),
        ("1500.00", 1_000_000, 150_000, "1500.00", "0.15"),
        ("1.5", 1_000_000, 150, "1.50", "0.00015"), ("0", 100, 0, "0.00", "0.00"),
        ("10000000", 100, 10_000_000_000_000, "100000000000.00", "10000000.00"),
    ])
    func `is parsed, and written exactly`(
        text: String, per: Int, hundredths: Int64, perMillion: String, per100: String
    ) throws {
        let price = try #require(TokenPrice(text, per: per))
        #expect(price.hundredthsPerMillion == hundredths)
        #expect(price.description == perMillion)
        #expect(price.creditsPer100Tokens == per100)
    }

    @Test(arguments: [
        ("0.0000015", 100), ("0.001", 1_000_000), ("", 100), (".5", 100), ("5.", 100), ("-1", 100),
        ("1e3", 100), ("1,5", 100), ("99999999999999999999", 100), ("١", 100),
    ])
    func `is not a text without a whole number of hundredths per million`(text: String, per: Int) {
        #expect(TokenPrice(text, per: per) == nil)
    }

    @Test(arguments: [
        (150_000, 1200, "1.80"), (15_000, 800, "0.12"), (600_000, 305, "1.83"),
        (1, 1, "0.00000001"),
        (1, 1_000_000, "0.01"), (40_000_000, 25, "10.00"), (150, 1001, "0.0015015"),
        (10_000_000_000_000, Int64(Int32.max), "214748364700000.00"),
    ])
    func `has exact credits for any number of tokens`(price: Int64, tokens: Int64, credits: String)
    {
        #expect(TokenPrice(hundredthsPerMillion: price).credits(ofTokens: tokens) == credits)
    }
}

@Suite struct `A list of rates` {
    private func rate(_ model: String?, _ hours: Int64?) -> CreditRate {
        CreditRate(
            effectiveFrom: hours.map { Timestamp(microseconds: $0 * 3_600_000_000) }, model: model,
            tokenizer: "characters",
            prices: TokenPrices(all: TokenPrice(hundredthsPerMillion: 40_000_000)),
            minimum: Credits(hundredths: 100))
    }

    @Test(
        arguments: [
            ("", 9, nil, nil), ("gpt-5", 0, nil, nil), ("gpt-5", 1, "gpt*", 1),
            ("gpt-5", 2, "gpt-5", 2),
            ("gpt-5", 9, "gpt-5", 2), ("gpt-5-mini", 3, "gpt-5*", 3), ("gpt-4", 9, "gpt*", 4),
            ("GPT-5", 9, "*", 5), ("é", 9, "é", 6), ("e\u{301}", 9, "*", 5), ("gpt", 3, "gpt*", 1),
        ] as [(String, Int64, String?, Int64?)])
    func `applies the exact model, then the longest prefix, then the latest; letter by letter`(
        model: String, hours: Int64, pattern: String?, since: Int64?
    ) throws {
        let rates = [
            rate(nil, nil), rate("gpt*", 1), rate("gpt-5", 2), rate("gpt-5*", 3), rate("gpt*", 4),
            rate("*", 5), rate("é", 6),
        ]
        let time = Timestamp(microseconds: hours * 3_600_000_000)
        for list in [rates, rates.reversed()] {
            let found = try #require(list.inForce(at: time, model: model))
            #expect(found.hasKey(of: rate(pattern, since)), "\(found)")
            #expect(list.candidates(at: time, model: model).first?.hasKey(of: found) == true)
        }
    }

    @Test func `is described with one price, or with the price of each kind`() {
        #expect(
            rate(nil, nil).description
                == "from the beginning: 40.00 credits per 100 tokens, minimum 1.00, tokenizer characters"
        )
        let kinds = CreditRate(
            effectiveFrom: Timestamp(microseconds: 0), model: "gpt-5*", tokenizer: "o200k_base",
            prices: TokenPrices(
                input: TokenPrice(hundredthsPerMillion: 150_000),
                output: TokenPrice(hundredthsPerMillion: 600_000),
                cacheRead: TokenPrice(hundredthsPerMillion: 15_000),
                cacheCreation: TokenPrice(hundredthsPerMillion: 187_500)),
            minimum: Credits(hundredths: 0))
        #expect(
            kinds.description
                == "gpt-5* from 1970-01-01T00:00:00Z: input 1500.00, output 6000.00, cache read 150.00, cache creation 1875.00 credits per million tokens, minimum 0.00, tokenizer o200k_base"
        )
    }
}
