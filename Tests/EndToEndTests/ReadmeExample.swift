import Foundation
import TestSupport

/// A `$` line of the README, and its documented output.
struct ReadmeExample {
    /// What a person types.
    let command: String

    /// The lines that follow.
    private(set) var output: [String] = []

    /// The examples of a section, or of the whole README.
    static func all(in section: String? = nil) throws -> [ReadmeExample] {
        let text = try String(contentsOfFile: Repository.path("README.md"), encoding: .utf8)
        var examples: [ReadmeExample] = []
        var isInExample = false
        var isInSection = section == nil
        for line in text.components(separatedBy: "\n") {
            if let section, line.hasPrefix("## ") { isInSection = line == "## \(section)" }
            guard isInSection else { continue }
            if line.hasPrefix("    $ ") {
                examples.append(ReadmeExample(command: String(line.dropFirst(6))))
                isInExample = true
            } else if line.hasPrefix("    "), isInExample {
                examples[examples.count - 1].output.append(String(line.dropFirst(4)))
            } else {
                isInExample = false
            }
        }
        return examples
    }

    /// Text without the revision, which differs between databases.
    static func masked(_ text: String) -> String {
        text.replacing(/"revision":[0-9]+/, with: #""revision":0"#)
    }
}
