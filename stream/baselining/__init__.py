"""Makes baselines from training data or first events, reads and writes SageMaker's files; may
import `config` and below.
"""
