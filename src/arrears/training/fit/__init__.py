"""The trainers: SFT and DPO, thin over TRL and PEFT, with a course that can be taken up again.

A recipe says how; a file of rows says what from; a folder holds the model, its record and the
checkpoints. torch, transformers, trl, peft and datasets are the extra `train`; they are imported
when something is trained.
"""
