import Foundation

/// Looks for what is wrong with the records of a folder, and with what names them.
package struct Doctor {
    private let corpus: Corpus
    private let settings: Settings

    /// Looks at the files as they are, or at what a merge of HEAD with another commit would make of them.
    package init(_ folder: RecordFolder, mergedWith other: String? = nil) throws {
        let git = try Git(around: folder.path)
        settings = folder.settings
        if let other {
            guard let git else { throw RecordError("--merge-with needs a git repository around the records") }
            corpus = try Corpus(folder, git: git, mergedWith: other)
        } else {
            corpus = try Corpus(folder, git: git)
        }
    }

    /// By path and line; those that the settings ignore say so.
    package func findings() -> [Finding] {
        let found = numbers() + corpus.records.flatMap { metadata($0) + links($0) + sections($0) } + mentions()
        return found.map { finding in
            var finding = finding
            finding.ignoredFor = settings.ignored.first { covers($0, finding) }?.reason
            return finding
        }.sorted { ($0.path, $0.line, $0.rule.rawValue) < ($1.path, $1.line, $1.rule.rawValue) }
    }

    private func covers(_ ignored: Settings.Ignored, _ finding: Finding) -> Bool {
        guard ignored.rule == finding.rule else { return false }
        guard let place = ignored.at else { return true }
        if let number = Int(place) {
            return RecordName(file: finding.path.split(separator: "/").last.map(String.init) ?? "")?.number == number
        }
        return finding.path == place || finding.path.hasPrefix(place + "/") || finding.path.hasSuffix("/" + place)
    }

    private func finding(_ rule: Rule, _ record: Record, _ line: Int, _ message: String) -> Finding {
        Finding(rule, corpus.path(of: record), line + 1, message)
    }

    // MARK: Numbers

    private func numbers() -> [Finding] {
        var found: [Finding] = []
        for (_, records) in Dictionary(grouping: corpus.records, by: \.folder) {
            let numbered = records.filter { $0.number != nil }.sorted(by: RecordFolder.order)
            for (before, record) in zip(numbered, numbered.dropFirst()) {
                guard let low = before.number, let high = record.number else { continue }
                if low == high {
                    let message = "\(before.name.file) has the number \(low) too: adr renumber \(record.name.file)"
                    found.append(finding(.duplicateNumber, record, 0, message))
                } else if high > low + 1 {
                    let gap = high == low + 2 ? "number \(low + 1) is" : "numbers \(low + 1) to \(high - 1) are"
                    found.append(finding(.missingNumber, record, 0, "\(gap) missing before this one"))
                }
            }
        }
        return found
    }

    // MARK: One record

    private func metadata(_ record: Record) -> [Finding] {
        var found: [Finding] = []
        if let mistake = record.metadata.mistake {
            found.append(finding(.frontMatter, record, mistake.line, "the front matter is no YAML: \(mistake.text)"))
        }
        if let title = record.title, let line = record.titleLine {
            if let number = record.number, let told = record.titleNumber, number != told {
                found.append(finding(.titleNumber, record, line, "the title says \(told), the file's name \(number)"))
            }
            let words = [RecordName.slug(title), AdrTools.slug(title)]
            if !words.contains(record.name.slug.lowercased()) {
                found.append(finding(.titleSlug, record, line, "the file's name doesn't say `\(words[0])`"))
            }
        } else {
            found.append(finding(.missingTitle, record, 0, "there is no heading of the first level"))
        }
        let line: Int
        switch record.metadata.place {
        case .section(let heading, let told): line = told ?? heading.line
        case .frontMatter(let told), .list(let told): line = told
        case .none: line = 0
        }
        if record.status == nil, record.metadata.mistake == nil {
            if let text = record.metadata.statusText {
                let known = RecordStatus.allCases.map(\.rawValue).joined(separator: ", ")
                found.append(finding(.unknownStatus, record, line, "`\(text)` begins with none of \(known)"))
            } else {
                found.append(finding(.missingStatus, record, line, "no status is told"))
            }
        }
        if record.status == .superseded, !record.metadata.relations.contains(where: \.isSupersededBy) {
            found.append(finding(.supersededAlone, record, line, "superseded by what? Name the record"))
        }
        return found
    }

    private func sections(_ record: Record) -> [Finding] {
        record.outline.headings.filter { $0.level > 1 }.compactMap { heading in
            let lines = record.document.lines[record.outline.section(of: heading)]
            let isEmpty = lines.allSatisfy { $0.isBlank || $0.text.hasPrefix("<!--") }
            return isEmpty ? finding(.emptySection, record, heading.line, "`\(heading.text)` has nothing in it") : nil
        }
    }

    // MARK: Links

    private func links(_ record: Record) -> [Finding] {
        let folder = corpus.path(of: record).split(separator: "/").dropLast().joined(separator: "/")
        var found = record.links.compactMap { line, link -> Finding? in
            guard let file = link.file else { return nil }
            let path = String(Paths.absolute(file, from: "/" + folder).dropFirst())
            return corpus.exists(path) ? nil : finding(.deadLink, record, line, "there is no file \(link.target)")
        }
        for relation in record.metadata.relations {
            guard let other = corpus.record(relation.target, from: record) else {
                if case .number(let number) = relation.target, relation.isSupersededBy {
                    found.append(finding(.supersededAlone, record, relation.line, "there is no record \(number)"))
                }
                continue
            }
            guard other.path != record.path else { continue }
            if relation.supersedes, other.status != .superseded {
                let name = other.name.file
                let remedy = "adr status \(name) superseded --by \(record.name.file)"
                found.append(finding(.oneSidedLink, record, relation.line, "\(name) is not superseded: \(remedy)"))
            } else if relation.isTwoSided, !tells(other, of: record) {
                found.append(finding(.oneSidedLink, record, relation.line, "\(other.path) doesn't tell of this one"))
            }
        }
        return found
    }

    private func tells(_ record: Record, of other: Record) -> Bool {
        let linked = record.links.compactMap { $0.link.file }.compactMap { corpus.record($0, from: record)?.path }
        if linked.contains(other.path) { return true }
        guard let number = other.number else { return false }
        return record.document.lines.contains { Mention.all(in: $0.bytes).contains { $0.number == number } }
    }

    // MARK: Mentions

    private func mentions() -> [Finding] {
        let numbers = Set(corpus.records.compactMap(\.number))
        guard !numbers.isEmpty else { return [] }
        let records = Set(corpus.records.map(corpus.path(of:)))
        return corpus.lines.flatMap { line -> [Finding] in
            guard !settings.unread.contains(where: { line.path == $0 || line.path.hasPrefix($0 + "/") }) else {
                return []
            }
            let isProse = line.isProse || records.contains(line.path)
            return Mention.all(in: line.bytes).filter { ($0.isPlain || isProse) && !numbers.contains($0.number) }.map {
                Finding(.deadMention, line.path, line.line, "there is no record \($0.number)")
            }
        }
    }
}
