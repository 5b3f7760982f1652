import type { BuildService } from '../../core/builds/build-service.ts';
import type { ImageService } from '../../core/images/image-service.ts';
import type { Handlers } from '../route-handlers.ts';

type ImageRoute =
  | 'imageList'
  | 'imageShow'
  | 'imageHistory'
  | 'imageBootstrap'
  | 'imageBuild'
  | 'imageRegister'
  | 'imagePromote'
  | 'imageDelete';

export function imageHandlers(images: ImageService, builds: BuildService): Pick<Handlers, ImageRoute> {
  return {
    imageList: () => [...images.list()],
    imageShow: ({ params }) => images.get(params.name),
    imageHistory: ({ params }) => images.history(params.name),
    imageBootstrap: ({ params, body }) => images.bootstrap(params.name, body),
    imageBuild: ({ params, body }) => builds.start(params.name, body),
    imageRegister: ({ params, body }) => images.register(params.name, body),
    imagePromote: ({ params }) => images.promote(params.name),
    imageDelete: ({ params }) => images.delete(params.name),
  };
}
