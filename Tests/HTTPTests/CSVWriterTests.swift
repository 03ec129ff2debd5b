import HTTP
import Testing

@Suite struct `A CSV writer` {
    private func row(_ fields: [String?], guardsFormulas: Bool = false) -> String {
        var csv = CSVWriter(guardsFormulas: guardsFormulas)
        csv.row(fields)
        return String(decoding: csv.bytes, as: UTF8.self)
    }

    @Test func `quotes only fields that need it`() {
        #expect(row(["1", nil, "a b", "é"]) == "1,,a b,é\r\n")
        #expect(
            row(["a,b", "say \"hi\"", "two\nlines", "\r"])
                == "\"a,b\",\"say \"\"hi\"\"\",\"two\nlines\",\"\r\"\r\n")
    }

    @Test(arguments: ["=1+1", "+1", "-1", "@x", "\tx", "\rx"])
    func `takes the power from formulas when asked to`(field: String) {
        #expect(row([field], guardsFormulas: true).contains("'" + field))
        #expect(!row([field]).contains("'"))
    }
}
