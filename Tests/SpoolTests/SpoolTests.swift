import Foundation
import Spool
import TestSupport
import Testing

@Suite struct `A spool` {
    private let directory = TemporaryFolder.shared.file("spool").path

    private func write(_ text: String, to spool: Spool) throws -> SpooledFile? {
        let writer = try spool.writer()
        writer.append(Array(text.utf8).span)
        return writer.finish()
    }

    private func text(_ file: SpooledFile?) -> String? {
        file.flatMap { try? String(contentsOfFile: "\(directory)/\($0.name)", encoding: .utf8) }
    }

    private func files() throws -> [String] {
        try FileManager.default.subpathsOfDirectory(atPath: directory).filter {
            $0.contains("/") && !$0.hasSuffix("/lock")
        }
    }

    @Test func `gives a file under a new name for each whole text`() throws {
        let spool = try Spool(directory: directory, byteLimit: 1000)
        let one = try write("one", to: spool)
        let two = try write("two", to: spool)
        #expect(text(one) == "one")
        #expect(text(two) == "two")
        #expect(try files().sorted() == [one?.name, two?.name].compactMap { $0 }.sorted())
    }

    @Test func `leaves nothing of a text that was not finished, and gives its room back`() throws {
        let spool = try Spool(directory: directory, byteLimit: 10)
        do { try spool.writer().append(Array("12345678".utf8).span) }
        #expect(try files() == [])
        let file = try write("1234567890", to: spool)
        #expect(text(file) == "1234567890")
    }

    @Test func `takes no more than its bytes`() throws {
        let spool = try Spool(directory: directory, byteLimit: 10)
        let kept = try write("12345678", to: spool)
        #expect(try write("123", to: spool) == nil)
        let short = try write("12", to: spool)
        #expect([text(kept), text(short)] == ["12345678", "12"])
    }

    @Test func `keeps a file that the web server may be about to open`() throws {
        let spool = try Spool(directory: directory, byteLimit: 1000)
        var file = try write("late", to: spool)
        let path = "\(directory)/\(try #require(file).name)"
        file = nil
        #expect(try String(contentsOfFile: path, encoding: .utf8) == "late")
    }

    @Test func `removes what processes that have ended left, and nothing of others`() throws {
        let alive = try Spool(directory: directory, byteLimit: 1000)
        let kept = try write("kept", to: alive)
        let stale = "\(directory)/stale"
        try FileManager.default.createDirectory(atPath: stale, withIntermediateDirectories: true)
        for name in ["lock", "1"] {
            #expect(FileManager.default.createFile(atPath: "\(stale)/\(name)", contents: nil))
        }
        let next = try Spool(directory: directory, byteLimit: 1000)
        #expect(!FileManager.default.fileExists(atPath: stale))
        #expect(text(kept) == "kept")
        _ = next
    }

    @Test func `says where it cannot be`() {
        let error = #expect(throws: SpoolError.self) {
            try Spool(directory: "/nowhere/at/all", byteLimit: 1)
        }
        #expect(error?.description == "mkdir /nowhere/at/all: No such file or directory")
    }
}
