"""The words that choose what is done: for the code that acts on them, and for configurations. No TensorFlow."""

# Training modes (training.starting_point).
STEP1, STEP2 = 'finetune_new_ssd_step1', 'finetune_new_ssd_step2'
EXISTING, SCRATCH = 'finetune_existing_ssd', 'from_scratch'
TRAINING_MODES = (STEP1, STEP2, EXISTING, SCRATCH)
# What computes (training.distribution).
DISTRIBUTIONS = ('one', 'mirrored', 'multi_worker')
# Courses of the learning rate (training.trainer.Schedule).
SCHEDULES = ('steps', 'cosine')
# What a detector is exported as (detection.export).
EXPORT_FORMATS = ('saved_model', 'tflite_float32', 'tflite_float16')
