/// Does one workload a number of times, on the same input each time, for callgrind to count its
/// instructions, or for tokenizers.py to measure its CPU time: the difference between two numbers of
/// rounds has no start-up in it.
///
///     instruction-counts WORKLOAD ROUNDS [TOKENIZER-DIRECTORY]
///
/// Prints how many items a round has, and how much comes out of it.
@main struct InstructionCounts {
    static func main() throws {
        let arguments = CommandLine.arguments.dropFirst()
        guard (2...3).contains(arguments.count), let name = arguments.first,
            let rounds = Int(arguments[2]), rounds > 0,
            let workload = try Workload(
                name, tokenizerDirectory: arguments.count == 3 ? arguments[3] : nil)
        else {
            fatalError("usage: instruction-counts WORKLOAD ROUNDS [TOKENIZER-DIRECTORY]")
        }
        var output = 0
        for _ in 0..<rounds { output = try workload.run() }
        print(workload.itemCount, output)
    }
}
