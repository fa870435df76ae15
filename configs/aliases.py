"""Words of other tools: the key of this project that is meant, or a sentence that is the answer."""

_DEVICE = ('the GPU is used where there is one; CUDA_VISIBLE_DEVICES=0 chooses it, and '
           '--distribution=mirrored trains on several')
_SIZE = ("the image size is the backbone's: 300 pixels, or 512 with "
         '--backbone_network=ssd_vgg_512; images of all sizes are resized to it')
_HALF = 'write --precision=bfloat16, or float16 on older GPUs'
_CONFIG = 'write --key=value for each key; the defaults are in configs/'
_DATA = ('images are converted first: ssd_image_to_tf.py --data=FOLDER; training '
         'reads --train_records=FOLDER, and evaluation --test_records=FOLDER')
_CLASSES = ('ssd_image_to_tf.py --classes_file=FILE names the classes of records, and training '
            'takes them from there; ssd_demo.py --show_classes=NAMES shows some of them')

ALIASES = {
    'arch': 'backbone_network', 'backbone': 'backbone_network',
    'batch': 'batch_size', 'bs': 'batch_size',
    'lr': 'learning_rate', 'lr0': 'learning_rate', 'base_lr': 'learning_rate',
    'wd': 'weight_decay', 'steps': 'max_steps', 'iterations': 'max_steps', 'iters': 'max_steps',
    'num_steps': 'max_steps', 'num_epochs': 'epochs', 'workers': 'data_threads',
    'num_workers': 'data_threads', 'threads': 'data_threads', 'freeze': 'frozen_layers',
    'mode': 'training_mode', 'grad_accum': 'accumulate', 'clip_grad': 'clip_gradients',
    'weights': 'checkpoint', 'ckpt': 'checkpoint', 'checkpoint_path': 'checkpoint',
    'pretrained': 'checkpoint', 'model': 'checkpoint', 'trained_model': 'checkpoint',
    'threshold': 'score_threshold', 'conf': 'score_threshold', 'conf_thres': 'score_threshold',
    'confidence': 'score_threshold', 'iou': 'nms_threshold', 'iou_thres': 'nms_threshold',
    'nms': 'nms_threshold', 'max_det': 'keep_top_k', 'top_k': 'keep_top_k',
    'out': 'output', 'output_dir': 'output', 'outdir': 'output', 'out_dir': 'output',
    'save_dir': 'output', 'save_folder': 'output', 'train_dir': 'output', 'logdir': 'output',
    'project': 'output', 'source': 'image', 'input': 'image', 'img': 'image', 'images': 'image',
    'image_path': 'image', 'coco_images': 'images', 'image_folder': 'images',
    'images_dir': 'images', 'image_dir': 'images', 'img_dir': 'images',
    'labels': 'classes_file', 'label_map': 'classes_file', 'names': 'classes_file',
    'val_records': 'eval_records', 'eval_interval': 'eval_every',
    'vid_stride': 'frame_step', 'stride': 'frame_step', 'frame_interval': 'frame_step',
    'save_interval': 'save_every', 'log_interval': 'log_every',
    'resume': 'no key is needed: the same command goes on from its last checkpoint; --restart=True '
              'starts again from the beginning',
    'device': _DEVICE, 'gpu': _DEVICE, 'gpus': _DEVICE, 'gpu_ids': _DEVICE, 'cuda': _DEVICE,
    'imgsz': _SIZE, 'img_size': _SIZE, 'image_size': _SIZE, 'input_size': _SIZE, 'resize': _SIZE,
    'half': _HALF, 'fp16': _HALF, 'amp': _HALF, 'mixed_precision': _HALF,
    'cfg': _CONFIG, 'config': _CONFIG, 'config_file': _CONFIG, 'opts': _CONFIG, 'hyp': _CONFIG,
    'dataset': _DATA, 'data_dir': _DATA, 'dataset_root': _DATA, 'data_path': _DATA,
    'classes': _CLASSES, 'num_classes': _CLASSES, 'nc': _CLASSES,
    'optimizer': 'SGD with --momentum and --weight_decay is the only optimizer, as published',
    'augment': 'the keys --augment_distort, --augment_zoom_out, --augment_crop and --augment_flip '
               'are True unless they are set to False',
    'tensorboard': 'the log is always written: tensorboard --logdir checkpoints/',
}
