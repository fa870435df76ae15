"""Values of configuration keys that several modules compare with. No TensorFlow."""

# Training modes (training.starting_point).
STEP1, STEP2 = 'finetune_new_ssd_step1', 'finetune_new_ssd_step2'
EXISTING, SCRATCH = 'finetune_existing_ssd', 'from_scratch'
# Devices that compute (training.distribution).
DISTRIBUTIONS = ('one', 'mirrored', 'multi_worker')
