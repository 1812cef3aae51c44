/// The four templates of MADR 4.0, MIT or CC0 (https://adr.github.io/madr), what a program knows filled in.
extension Template {
    static let madrText = """
        ---
        status: STATUS
        date: DATE
        decision-makers:
        consulted:
        informed:
        ---

        # TITLE

        ## Context and Problem Statement

        {Describe the context and problem statement, e.g., in free form using two to three sentences or in the form \
        of an illustrative story. You may want to articulate the problem in form of a question and add links to \
        collaboration boards or issue management systems.}

        <!-- This is an optional element. Feel free to remove. -->
        ## Decision Drivers

        * {decision driver 1, e.g., a force, facing concern, …}
        * {decision driver 2, e.g., a force, facing concern, …}
        * … <!-- numbers of drivers can vary -->

        ## Considered Options

        * {title of option 1}
        * {title of option 2}
        * {title of option 3}
        * … <!-- numbers of options can vary -->

        ## Decision Outcome

        Chosen option: "{title of option 1}", because {justification. e.g., only option, which meets k.o. criterion \
        decision driver | which resolves force {force} | … | comes out best (see below)}.

        <!-- This is an optional element. Feel free to remove. -->
        ### Consequences

        * Good, because {positive consequence, e.g., improvement of one or more desired qualities, …}
        * Bad, because {negative consequence, e.g., compromising one or more desired qualities, …}
        * … <!-- numbers of consequences can vary -->

        <!-- This is an optional element. Feel free to remove. -->
        ### Confirmation

        {Describe how the implementation of/compliance with the ADR can/will be confirmed. Is the chosen design and \
        its implementation in line with the decision? E.g., a design/code review or a test with a library such as \
        ArchUnit can help validate this. Note that although we classify this element as optional, it is included in \
        many ADRs.}

        <!-- This is an optional element. Feel free to remove. -->
        ## Pros and Cons of the Options

        ### {title of option 1}

        <!-- This is an optional element. Feel free to remove. -->
        {example | description | pointer to more information | …}

        * Good, because {argument a}
        * Good, because {argument b}
        <!-- use "neutral" if the given argument weights neither for good nor bad -->
        * Neutral, because {argument c}
        * Bad, because {argument d}
        * … <!-- numbers of pros and cons can vary -->

        ### {title of other option}

        {example | description | pointer to more information | …}

        * Good, because {argument a}
        * Good, because {argument b}
        * Neutral, because {argument c}
        * Bad, because {argument d}
        * …

        <!-- This is an optional element. Feel free to remove. -->
        ## More Information

        {You might want to provide additional evidence/confidence for the decision outcome here and/or document the \
        team agreement on the decision and/or define when/how this decision the decision should be realized and \
        if/when it should be re-visited. Links to other decisions and resources might appear here as well.}

        """

    static let madrMinimalText = """
        ---
        status: STATUS
        date: DATE
        ---

        # TITLE

        ## Context and Problem Statement

        {Describe the context and problem statement, e.g., in free form using two to three sentences or in the form \
        of an illustrative story. You may want to articulate the problem in form of a question and add links to \
        collaboration boards or issue management systems.}

        ## Considered Options

        * {title of option 1}
        * {title of option 2}
        * {title of option 3}
        * … <!-- numbers of options can vary -->

        ## Decision Outcome

        Chosen option: "{title of option 1}", because {justification. e.g., only option, which meets k.o. criterion \
        decision driver | which resolves force {force} | … | comes out best (see below)}.

        <!-- This is an optional element. Feel free to remove. -->
        ### Consequences

        * Good, because {positive consequence, e.g., improvement of one or more desired qualities, …}
        * Bad, because {negative consequence, e.g., compromising one or more desired qualities, …}
        * … <!-- numbers of consequences can vary -->

        """

    static let madrBareText = """
        ---
        status: STATUS
        date: DATE
        decision-makers:
        consulted:
        informed:
        ---

        # TITLE

        ## Context and Problem Statement



        ## Decision Drivers

        * <!-- decision driver -->

        ## Considered Options

        * <!-- option -->

        ## Decision Outcome

        Chosen option: "", because

        ### Consequences

        * Good, because
        * Bad, because

        ### Confirmation



        ## Pros and Cons of the Options

        ### <!-- title of option -->

        * Good, because
        * Neutral, because
        * Bad, because

        ## More Information

        """

    static let madrBareMinimalText = """
        ---
        status: STATUS
        date: DATE
        ---

        # TITLE

        ## Context and Problem Statement



        ## Considered Options



        ## Decision Outcome



        ### Consequences


        """
}
