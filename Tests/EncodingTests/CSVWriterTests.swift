import Encoding
import Testing

@Suite struct `A CSV writer` {
    private func row(_ fields: [String?]) -> String {
        var csv = CSVWriter()
        csv.row(fields)
        return String(decoding: csv.bytes, as: UTF8.self)
    }

    @Test func `quotes only fields that need it`() {
        #expect(row(["1", nil, "a b", "é"]) == "1,,a b,é\r\n")
        #expect(
            row(["a,b", "say \"hi\"", "two\nlines", "\r"])
                == "\"a,b\",\"say \"\"hi\"\"\",\"two\nlines\",\"\r\"\r\n")
    }

    @Test(arguments: ["=1+1", "+1", "-1", "@x"]) func `leaves formulas as they are`(field: String) {
        #expect(row([field]) == field + "\r\n")
    }
}
