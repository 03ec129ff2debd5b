import APIKeys
import ArgumentParser
import Configuration
import Encoding
import Foundation
import Usage
import UsageStore

/// Creates, lists and revokes API keys.
struct Keys: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Creates, lists and revokes API keys.",
        subcommands: [Create.self, List.self, Revoke.self])

    struct Create: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Creates a key and prints it; it cannot be printed again.",
            discussion: """
                Only a digest is stored: if a key is lost, revoke it and create another.

                A key with --user, --team or --tag is bound: it sees only records that match all of \
                them, and what it records is stamped with them.
                """)

        private static let scopes = ["usage:read", "usage:write", "usage:correct"]

        @Argument(help: "The purpose of the key.") var name: String
        @Option(
            help: "usage:read, usage:write or usage:correct; repeat for several.",
            completion: .list(Self.scopes))
        var scope: [String]
        @Option(help: "A date (midnight UTC) or RFC 3339 time. (default: never)")
        var expires: String?
        @Option(help: "Bind it to this user.") var user: String?
        @Option(help: "Bind it to this team.") var team: String?
        @Option(help: ArgumentHelp("Bind it to this tag; repeatable.", valueName: "key:value"))
        var tag: [String] = []

        func validate() throws {
            guard (1...200).contains(name.unicodeScalars.count) else {
                throw ValidationError("The name must have 1 to 200 characters.")
            }
            guard !scope.isEmpty, scope.allSatisfy(Self.scopes.contains) else {
                throw ValidationError("--scope must be usage:read, usage:write or usage:correct.")
            }
            if let expires {
                guard let instant = instant(expires), instant > .now else {
                    throw ValidationError(
                        "--expires must be a date or an RFC 3339 time, in the future.")
                }
            }
            do throws(MessageFault) {
                _ = try Bounds(user: user, team: team, tags: tag)
            } catch {
                throw ValidationError(error.message)
            }
        }

        func run() throws {
            let key = APIKey()
            let bounds = try Bounds(user: user, team: team, tags: tag)
            let settings = try Settings.administrators()
            try administratorsStore(settings).addKey(
                key.keyID, name: name, digest: key.digest, scopes: Array(Set(scope)).sorted(),
                bounds: bounds, expiresAt: expires.flatMap(instant))
            print(key)
            if !bounds.isEmpty { settings.warnOfBounds() }
        }
    }

    struct List: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Lists the keys, without their secrets.")

        @OptionGroup var format: ListFormat

        func run() throws {
            let settings = try Settings.administrators()
            let keys = try administratorsStore(settings).keys()
            format.show(keys, line: \.line) { key, json in
                json.member("key_id", key.keyID)
                json.member("name", key.name)
                json.name("scopes")
                json.array { json in key.scopes.forEach { json.string($0) } }
                if !key.bounds.isEmpty { json.member("bounds", literal: key.bounds.json) }
                json.member("created_at", key.createdAt.description)
                json.member("expires_at", key.expiresAt?.description, isQuoted: true)
                json.member("revoked_at", key.revokedAt?.description, isQuoted: true)
                json.member("valid", literal: "\(key.isValid(at: .now))")
            }
            if keys.contains(where: { !$0.bounds.isEmpty && $0.isValid(at: .now) }) {
                settings.warnOfBounds()
            }
        }
    }

    struct Revoke: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Revokes a key; its next request is refused.")

        @Argument(help: "The key's id: the part between orb_ and the next _.") var id: String

        func run() throws {
            guard try administratorsStore().revokeKey(id) else {
                // The argument may be a whole key; its secret must not be printed.
                throw Failure(
                    message: "no key has this id, the part between orb_ and the next _; "
                        + "see: orbitalctl keys list",
                    status: EX_DATAERR)
            }
        }
    }
}

extension StoredKey {
    /// The key in a list for people.
    fileprivate var line: String {
        let state: String
        if let revokedAt {
            state = "revoked \(revokedAt.wholeSeconds)"
        } else if let expiresAt {
            state = "\(expiresAt > .now ? "expires" : "expired") \(expiresAt)"
        } else {
            state = "valid"
        }
        let bounds = bounds.isEmpty ? [] : [bounds.json]
        let columns = [keyID, "\(createdAt.wholeSeconds)", scopes.joined(separator: ","), state]
        return (columns + bounds + [name]).joined(separator: "  ")
    }
}

/// The instant of a date (midnight UTC) or an RFC 3339 time.
func instant(_ text: String) -> Timestamp? {
    switch PeriodBound(text) {
    case .instant(let instant): return instant
    case .day(let date): return ZoneOffsets.utc.start(of: date)
    case nil: return nil
    }
}

extension Tokenizers {
    /// The tokenizers of the configured directory.
    convenience init(of settings: Settings) { self.init(directory: settings.tokenizerDirectory) }
}

extension Settings {
    /// The settings for `orbitalctl`; by default, those of the installed service.
    static func administrators() throws(SettingsError) -> Settings {
        try load(forAdministrator: true, export: exportToProcess)
    }
}
