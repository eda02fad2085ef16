"""Getting the servers the local stack runs. Each module answers one question: where is the program?"""
