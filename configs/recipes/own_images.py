"""From the shipped detector to one of your own classes, on some hundred or thousand images.

    python3 ssd_image_to_tf.py --data=images --split=0.8
    python3 ssd_train.py --recipe=own_images
    python3 ssd_test.py --recipe=own_images
    python3 ssd_demo.py image.jpg --recipe=own_images

Cost: each image is seen 30 times. Two CPU cores with fast bfloat16 train 17 images/s: 1,000 images
take 30 minutes. A GPU was only measured with MobilenetV1: 1,300 images/s.
To expect: docs/own_data.md.
"""
training_mode = 'finetune_existing_ssd'
output = 'own'
epochs = 30
