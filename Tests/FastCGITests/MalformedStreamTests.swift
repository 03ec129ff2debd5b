import Foundation
import Glibc
import TestSupport
import Testing

@testable import FastCGI

/// Each of these ended the process, or could: libfcgi trusts its peer.
@Suite(.timeLimit(.minutes(30))) struct `A peer that sends malformed records` {
    /// A record with any header.
    private static func record(_ type: UInt8, _ content: [UInt8], id: UInt8 = 1, version: UInt8 = 1)
        -> [UInt8]
    {
        [version, type, 0, id, UInt8(content.count >> 8), UInt8(content.count & 255), 0, 0]
            + content
    }

    private static let begin = record(1, [0, 1, 1, 0, 0, 0, 0, 0])
    private static let values: [UInt8] =
        (0..<6).flatMap { _ in [14, 0] + Array("FCGI_MAX_CONNS".utf8) }
    private static let huge: [UInt8] = [0xff, 0xff, 0xff, 0xfe, 0xff, 0xff, 0xff, 0xfe, 0x41]
    private static let whole = FastCGIClient.request(
        ["REQUEST_METHOD": "POST", "SCRIPT_NAME": "/usage", "CONTENT_LENGTH": "5"], true,
        Array("hello".utf8))

    private static let streams: [String: [UInt8]] = [
        "management records": record(9, values, id: 0),
        "management records in a request": begin + record(9, values, id: 0),
        "management records in a body": whole.dropLast(8) + record(9, values, id: 0),
        "lengths of two gigabytes": begin + record(4, huge),
        "lengths of two gigabytes in pieces": begin + huge.flatMap { record(4, [$0]) },
        "parameters without end":
            begin
            + (0..<40).flatMap { _ in
                record(4, [0x80, 0, 0xef, 0, 0] + Array(repeating: 65, count: 61_184))
            },
        "padding of an empty record":
            begin + Array(record(4, [])[..<6]) + [150, 0] + record(9, values, id: 0)
            + Array(repeating: 0, count: 46),
        "padding of the first record":
            Array(begin[..<6]) + [150, 0] + Array(begin[8...]) + record(9, values, id: 0)
            + Array(repeating: 0, count: 46),
        "another version": record(1, [0, 1, 1, 0, 0, 0, 0, 0], version: 2),
        "an unknown type": begin + record(77, [1, 2, 3]),
    ]

    private static let path = TemporaryFolder.shared.file("malformed").path

    private static func server() throws -> Server {
        try Server(
            listener: try Listener(path: path), limits: ServerLimits(), refusal: [],
            paths: UrgentPaths(urgent: "/live", live: "/live"))
    }

    @Test(arguments: streams.keys.sorted()) func `loses its connection, and the server goes on`(
        _ name: String
    ) throws {
        let server = try Self.server()
        try server.start {
            { exchange in
                let isWhole = (try? exchange.readBody(upTo: 100)) != nil
                try? exchange.write(Array("Status: 200\r\n\r\n\(isWhole)".utf8).span)
            }
        }
        defer { _ = server.drain(seconds: 10) }
        let peer = FastCGIClient(Self.path)
        peer.send(Self.streams[name] ?? [])
        // A request whose body is malformed has a response, but its connection ends, too.
        let answer = peer.answer()
        #expect(answer == nil || name.hasSuffix("body"))
        #expect(peer.answer() == nil)
        let client = FastCGIClient(Self.path)
        client.send(Self.whole)
        #expect(client.answer() == "Status: 200\r\n\r\ntrue")
    }

    /// `STREAMS=10000000` checks as many.
    @Test func `never ends the process, whatever it sends`() throws {
        let count = ProcessInfo.processInfo.environment["STREAMS"].flatMap { Int($0) } ?? 50_000
        var random = SeededGenerator(20_261_201)
        // Initialises libfcgi.
        let server = try Self.server()
        defer { _ = server.drain(seconds: 1) }
        let exchange = FastCGIExchange()
        let pieces =
            Self.streams.sorted { $0.key < $1.key }.map(\.value) + [
                Self.whole, Self.begin, Self.record(5, []),
            ]
        var accepted = 0
        let before = try Self.descriptorCount()
        for _ in 0..<count {
            var ends: [Int32] = [-1, -1]
            #expect(socketpair(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0, &ends) == 0)
            var bytes = Self.whole
            for _ in 0..<Int.random(in: 0...3, using: &random) {
                Self.mutate(&bytes, pieces, &random)
            }
            // It never waits: the peer has sent everything and hangs up.
            bytes = Array(bytes.prefix(100_000))
            #expect(send(ends[1], bytes, bytes.count, Int32(MSG_NOSIGNAL)) == bytes.count)
            shutdown(ends[1], Int32(SHUT_WR))
            if exchange.accept(ends[0], arrival: .now) {
                accepted += 1
                _ = exchange.parameterBytes("SCRIPT_NAME")
                _ = try? exchange.readBody(upTo: 1000)
                try? exchange.write(Array("Status: 200\r\n\r\n".utf8).span)
                if let kept = exchange.finish() { close(kept) }
            }
            close(ends[1])
        }
        // Other tests' threads may have opened some.
        #expect(try Self.descriptorCount() < before + 20)
        // Some are still requests, and some are not.
        #expect((count / 20...count - count / 20).contains(accepted))
        print("measured: \(count) malformed streams, of which \(accepted) were requests: no crash")
    }

    private static func descriptorCount() throws -> Int {
        try FileManager.default.contentsOfDirectory(atPath: "/proc/self/fd").count
    }

    private static func mutate(
        _ bytes: inout [UInt8], _ pieces: [[UInt8]], _ random: inout SeededGenerator
    ) {
        let place = Int.random(in: 0...bytes.count, using: &random)
        switch Int.random(in: 0..<5, using: &random) {
        case 0: bytes.insert(contentsOf: pieces.randomElement(using: &random) ?? [], at: place)
        case 1: bytes.removeSubrange(place..<min(bytes.count, place + 8))
        case 2: bytes.insert(UInt8.random(in: 0...255, using: &random), at: place)
        case 3 where place < bytes.count:
            bytes[place] = [0, 1, 0x7f, 0x80, 0xff].randomElement(using: &random) ?? 0
        case _ where place < bytes.count:
            bytes[place] = UInt8.random(in: 0...255, using: &random)
        default: bytes.removeLast(min(bytes.count, 3))
        }
    }
}
