"""Cash, along the flow of the data.

The bank's word        banks statements statement_lines
What the engine reads  frames reach advices policies aliases; what it said: proposals
A line is posted       plans (pure) facts rows postings undoing
Collections            collections batches ties collecting collection_lines
The ERP                acknowledgements exports
For people             desk desk_line waiting unapplied learnt
"""
